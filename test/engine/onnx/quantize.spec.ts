/** Static quantization to 8 bits, against its formulas. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { InferenceSession } from 'onnxruntime-node';
import { Graph } from '../../../engine/graph';
import { activationScale, quantize, quantizedActivations, weightScales } from '../../../engine/onnx/quantize';
import { activationRanges } from '../../../engine/onnx/ranges';
import { readModel } from '../../../engine/onnx/read';
import { valuesOf } from '../../../engine/onnx/rewrite';
import { writeModel } from '../../../engine/onnx/write';
import { add, conv2d, flatten, linear, maxPool, relu } from '../../../engine/ops';
import { Session } from '../../../engine/session';
import type { NdArray } from '../../../formats/ndarray';
import { float32 } from '../../helpers/engine';
import { draw } from '../../helpers/nets';

/** conv → relu → max-pool → two convolutions that are added → relu → linear. */
function network(): Graph {
  const graph = new Graph();
  const weight = (name: string, shape: number[]) => graph.parameter(name, shape, () => draw(3, name, shape, -0.5, 0.5));
  const x = graph.input('x', 'float32', [1, 3, 8, 8]);
  const stem = relu(conv2d(x, weight('stem.weight', [8, 3, 3, 3]), weight('stem.bias', [8]), { padding: 1 }));
  const pooled = maxPool(stem, { kernel: 2 });
  const a = conv2d(pooled, weight('a.weight', [8, 8, 3, 3]), weight('a.bias', [8]), { padding: 1 });
  const b = conv2d(pooled, weight('b.weight', [8, 8, 1, 1]), weight('b.bias', [8]));
  const y = linear(flatten(relu(add(a, b))), weight('fc.weight', [5, 128]), weight('fc.bias', [5]));
  graph.output('y', y);
  return graph;
}

const sample = { x: draw(4, 'x', [16, 3, 8, 8], -1, 1) };

async function run(graph: Graph): Promise<NdArray> {
  const frozen = valuesOf(graph);
  const session = await Session.create(graph, { threads: 1, frozen, dynamicBatch: true, opset: 17 });
  const { y } = await session.run(sample);
  await session.release();
  return y!;
}

describe('activationScale', () => {
  it('spreads 0 … 255 over the range', () => {
    expect(activationScale({ min: 0, max: 510 })).to.deep.equal({ scale: 2, zeroPoint: 0 });
    expect(activationScale({ min: -51, max: 204 })).to.deep.equal({ scale: 1, zeroPoint: 51 });
  });

  it('widens the range to 0, so that 0 is exact', () => {
    expect(activationScale({ min: 127.5, max: 255 })).to.deep.equal({ scale: 1, zeroPoint: 0 });
    expect(activationScale({ min: -510, max: -2 })).to.deep.equal({ scale: 2, zeroPoint: 255 });
  });

  it('is 1 for a tensor of zeros', () => {
    expect(activationScale({ min: 0, max: 0 })).to.deep.equal({ scale: 1, zeroPoint: 0 });
  });
});

describe('weightScales', () => {
  it('lets the largest magnitude of each output channel be 127', () => {
    const weight = float32([2, 1, 1, 3], [127, -254, 0, 0.5, 0.25, -0.125]);
    expect([...weightScales(weight)]).to.deep.equal([2, Math.fround(0.5 / 127)]);
  });

  it('is 1 for a channel of zeros', () => {
    expect([...weightScales(float32([1, 2], [0, 0]))]).to.deep.equal([1]);
  });

  it('grows where the bias would not fit into int32 otherwise', () => {
    const [scale] = weightScales(float32([1, 1], [1e-9]), float32([1], [4]), 0.5);
    expect(4 / (scale! * 0.5)).to.equal(2 ** 30);
  });
});

describe('quantize', () => {
  let graph: Graph;
  let quantized: Graph;
  let weights: ReadonlyMap<string, NdArray>;
  before(async () => {
    graph = network();
    quantized = quantize(graph, await activationRanges(graph, [sample], 1));
    weights = valuesOf(quantized);
  });

  it('chooses what layers read and give, behind a ReLU; not what is fed and put out', () => {
    const producers = new Map(graph.nodes.map((node) => [node.outputs[0]!.name, node.opType]));
    const chosen = [...quantizedActivations(graph).keys()].map((name) => producers.get(name));
    expect(chosen).to.deep.equal(['Relu', 'MaxPool', 'Conv', 'Conv', 'Reshape']);
  });

  it('rounds weights to int8 by output channel, and biases to int32 by the scale of the products', () => {
    const [weight, scale] = [weights.get('a.weight')!, weights.get('a.weight_scale')!];
    const original = valuesOf(graph).get('a.weight')!.data as Float32Array;
    expect(weight.dtype).to.equal('int8');
    expect(scale.shape).to.deep.equal([8]);
    original.forEach((value, i) => {
      const step = Number(scale.data[Math.floor(i / 72)]);
      expect(Math.abs(Number(weight.data[i]) * step - value)).to.be.at.most(0.5001 * step);
    });
    const bias = weights.get('a.bias')!;
    expect(bias.dtype).to.equal('int32');
    const products = weights.get('a.bias_scale')!.data as Float32Array;
    const input = products[0]! / Number(scale.data[0]);
    products.forEach((product, k) => expect(product / Number(scale.data[k])).to.be.closeTo(input, 1e-6 * input));
    (valuesOf(graph).get('a.bias')!.data as Float32Array).forEach((value, k) => {
      expect(Math.abs(Number(bias.data[k]) * products[k]! - value)).to.be.at.most(0.5001 * products[k]!);
    });
  });

  it('leaves products of two weights in 16 bits where the range is reduced, and still fits', async () => {
    const reduced = quantize(graph, await activationRanges(graph, [sample], 1), { reduceRange: true });
    for (const name of ['stem', 'a', 'b', 'fc']) {
      const { data } = valuesOf(reduced).get(`${name}.weight`)!;
      const largest = Math.max(...Array.from(data as Int8Array, Math.abs));
      expect(largest).to.equal(64);
      expect(2 * 255 * largest).to.be.at.most(2 ** 15 - 1);
    }
    const [y, expected] = [await run(reduced), await run(graph)];
    const scale = Math.max(...Array.from(expected.data as Float32Array, Math.abs));
    y.data.forEach((value, i) =>
      expect(Math.abs(Number(value) - Number(expected.data[i]))).to.be.at.most(0.05 * scale),
    );
  });

  it('keeps the scale of a tensor through a max-pool', () => {
    const quantizers = quantized.nodes.filter(({ opType }) => opType === 'QuantizeLinear');
    const [stem, pooled] = quantizers as [(typeof quantizers)[0], (typeof quantizers)[0]];
    expect(pooled.inputs.slice(1)).to.deep.equal(stem.inputs.slice(1));
  });

  it('changes the result by little', async () => {
    const [exact, rounded] = [await run(graph), await run(quantized)].map(({ data }) => Array.from(data, Number));
    const scale = Math.max(...exact!.map(Math.abs));
    const differences = exact!.map((value, i) => Math.abs(value - rounded![i]!) / scale);
    expect(Math.max(...differences)).to.be.within(1e-4, 0.02);
  });

  it('is exact where all values are on their grids', async () => {
    const tiny = new Graph();
    const x = tiny.input('x', 'float32', [1, 1, 2, 2]);
    // Shifting by one keeps x from being an input of the graph, which would not be quantized.
    const shifted = tiny.emit('Add', [x, tiny.scalar(1)], x.shape);
    const weight = tiny.parameter('c.weight', [2, 1, 1, 1], () => float32([2, 1, 1, 1], [127, -254]));
    const bias = tiny.parameter('c.bias', [2], () => float32([2], [10, 20]));
    tiny.output('y', conv2d(shifted, weight, bias));
    const integers = quantize(tiny, new Map([[shifted.name, { min: -55, max: 200 }]]));
    const session = await Session.create(integers, { threads: 1, frozen: valuesOf(integers), opset: 17 });
    const { y } = await session.run({ x: float32([1, 1, 2, 2], [-56, 0, 99, 199]) });
    await session.release();
    const expected = [127, -254].flatMap((w, k) => [-55, 1, 100, 200].map((value) => w * value + 10 * (k + 1)));
    expect([...y!.data]).to.deep.equal(expected);
  });

  it('is run by the 8-bit kernels of ONNX Runtime', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'quantize-'));
    const path = join(folder, 'optimized.onnx');
    const bytes = writeModel(quantized, { frozen: weights, dynamicBatch: true, opset: 17 });
    const session = await InferenceSession.create(bytes, {
      intraOpNumThreads: 1,
      logSeverityLevel: 3,
      optimizedModelFilePath: path,
    });
    await session.release();
    const operators = readModel(new Uint8Array(readFileSync(path)), path).nodes.map(({ opType }) => opType);
    rmSync(folder, { recursive: true });
    expect(operators.filter((name) => name === 'QLinearConv')).to.have.length(2);
    expect(operators).to.include.members(['QLinearAdd', 'QGemm']);
    expect(operators).not.to.include.members(['Gemm']);
  });
});

describe('activationRanges', () => {
  it('are the smallest and the largest value over all batches', async () => {
    const graph = new Graph();
    const x = graph.input('x', 'float32', [1, 1, 1, 2]);
    const doubled = graph.emit('Add', [x, x], x.shape);
    const weight = graph.parameter('w', [1, 1, 1, 1], () => float32([1, 1, 1, 1], [1]));
    graph.output('y', conv2d(doubled, weight));
    const batches = [
      [1, 2, -3, 4],
      [0.5, -7, 1, 0],
    ].map((values) => ({ x: float32([2, 1, 1, 2], values) }));
    expect([...(await activationRanges(graph, batches, 1))]).to.deep.equal([[doubled.name, { min: -14, max: 8 }]]);
  });
});

/** Tests engine/backends/simplified.ts: fewer nodes, and the same bits. */
import { expect } from 'chai';
import { toBlockedLayout } from '../../../engine/backends/blocked';
import { blockSize } from '../../../engine/backends/blocked/block_size';
import { fuseHorizontally } from '../../../engine/backends/horizontal_fusion';
import { fromOrt, toOrt } from '../../../engine/backends/onnxruntime';
import { hasLargeConstants, simplify } from '../../../engine/backends/simplified';
import { Graph } from '../../../engine/graph';
import { writeModel } from '../../../engine/onnx/write';
import { InferenceSession } from '../../../engine/onnx_runtime';
import { add, expand, mul, reshape, transpose } from '../../../engine/ops';
import { optimizers } from '../../../engine/optimizers';
import { State } from '../../../engine/session';
import { bytesOf, ndarray, type NdArray } from '../../../formats/ndarray';
import { distillers } from '../../../model/distillers';
import { nets } from '../../../model/nets';
import { trainingGraph } from '../../../model/training/step_graph';
import { float32 } from '../../helpers/engine';
import { draw } from '../../helpers/nets';

const operators = (graph: Graph) => graph.nodes.map(({ opType }) => opType);

/** The outputs of a graph that ONNX Runtime leaves as it is, by name. */
async function run(graph: Graph, feeds: Readonly<Record<string, NdArray>>): Promise<Record<string, string>> {
  const session = await InferenceSession.create(writeModel(graph), { graphOptimizationLevel: 'disabled' });
  const found = await session.run(
    Object.fromEntries(Object.entries(feeds).map(([name, array]) => [name, toOrt(array)])),
  );
  await session.release();
  const bits = (array: NdArray) => `${array.shape.join()} ${Buffer.from(bytesOf(array)).toString('base64')}`;
  return Object.fromEntries(Object.entries(found).map(([name, tensor]) => [name, bits(fromOrt(tensor))]));
}

describe('simplify', () => {
  it('makes a reshape of a reshape one of its origin, and none of what ends where it began', async () => {
    const make = () => {
      const graph = new Graph();
      const x = graph.input('x', 'float32', [2, 6]);
      const once = reshape(reshape(x, [3, 4]), [2, 2, 3]);
      graph.output('once', mul(once, 2));
      graph.output('back', add(reshape(once, [2, 6]), x));
      graph.output('itself', reshape(x, [2, 6]));
      return graph;
    };
    const graph = make();
    simplify(graph);
    expect(operators(graph)).to.deep.equal(['Reshape', 'Mul', 'Add']);
    expect(graph.nodes[0]!.inputs[0]).to.equal(graph.inputs.get('x'));
    expect(graph.outputs.get('itself')).to.equal(graph.inputs.get('x'));
    const feeds = { x: draw(1, 'x', [2, 6], -1, 1) };
    expect(await run(graph, feeds)).to.deep.equal(await run(make(), feeds));
  });

  it('merges nodes that do the same to the same, and no others', async () => {
    const make = () => {
      const graph = new Graph();
      const x = graph.input('x', 'float32', [2, 2]);
      const [a, b] = [transpose(x, [1, 0]), transpose(x, [1, 0])];
      graph.output('a', add(reshape(a, [4]), 1));
      graph.output('b', mul(reshape(b, [4]), 3));
      graph.output('c', transpose(x, [0, 1]));
      graph.output('d', b);
      return graph;
    };
    const graph = make();
    simplify(graph);
    expect(operators(graph)).to.deep.equal(['Transpose', 'Reshape', 'Add', 'Mul', 'Transpose']);
    const feeds = { x: draw(2, 'x', [2, 2], -1, 1) };
    expect(await run(graph, feeds)).to.deep.equal(await run(make(), feeds));
  });

  it('makes a reshape of a constant a constant, and drops what nothing reads then', () => {
    const graph = new Graph();
    const x = graph.input('x', 'float32', [2, 2]);
    const constant = graph.constant(float32([4], [1, 2, 3, 4]));
    graph.output('y', mul(x, reshape(constant, [2, 2])));
    simplify(graph);
    expect(operators(graph)).to.deep.equal(['Mul']);
    expect([...graph.constants.values()]).to.deep.equal([float32([2, 2], [1, 2, 3, 4])]);
  });

  it('keeps new states', async () => {
    const make = () => {
      const graph = new Graph();
      const w = graph.parameter('w', [4], () => float32([4], [1, 2, 3, 4]));
      graph.update(w, reshape(reshape(mul(w, 2), [2, 2]), [4]));
      return graph;
    };
    const graph = make();
    simplify(graph);
    expect(operators(graph)).to.deep.equal(['Mul']);
    const feeds = { w: float32([4], [1, 2, 3, 4]) };
    expect(await run(graph, feeds)).to.deep.equal(await run(make(), feeds));
  });

  it('leaves less than 80 % of the reshapes of a step in the blocked layout, whose bits stay', async function () {
    const block = await blockSize();
    if (block === 1) this.skip();
    const input = [3, 32, 32] as const;
    const normalize = { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] };
    const model = {
      net: nets.resnet8!.build,
      options: { classes: 10, numChannels: 8, dropoutRate: 0 },
      normalize,
      input,
    };
    const step = trainingGraph(model, {
      batchSize: 2,
      seed: 0,
      methods: [{ name: 'nokd', distiller: distillers.nokd!, options: {} }],
      examples: 2,
      optimizer: optimizers.sgd!.make({ learningRate: 0.1, momentum: 0.9, nesterov: false, weightDecay: 1e-4 }),
      alpha: 0,
      temperature: 1,
      klReduction: 'batchmean',
    });
    const graph = fuseHorizontally(toBlockedLayout(step, block));
    const context = { step: 1, epoch: 1, epochs: 1, learningRate: 0.1, seed: 0 };
    const feeds = {
      ...Object.fromEntries(State.initial(graph).arrays()),
      ...step.feeds(context),
      images: ndarray('uint8', [2, 3, 32, 32], Uint8Array.from(draw(3, 'images', [2, 3, 32, 32], 0, 256).data, Number)),
      labels: ndarray('int32', [2], Int32Array.of(1, 7)),
    };
    const reshapes = () => operators(graph).filter((name) => name === 'Reshape').length;
    const [before, expected] = [reshapes(), await run(graph, feeds)];
    simplify(graph);
    expect(reshapes()).to.be.below(0.8 * before);
    expect(await run(graph, feeds)).to.deep.equal(expected);
  });
});

describe('hasLargeConstants', () => {
  const withConstant = (size: number, make: (graph: Graph) => void) => {
    const graph = new Graph();
    const x = graph.input('x', 'float32', [size]);
    const twice = mul(mul(graph.constant(ndarray('float32', [size])), 2), 2);
    graph.output('y', add(x, twice));
    make(graph);
    return hasLargeConstants(graph);
  };

  it('tells large values that follow from constants alone', () => {
    expect(withConstant(100_000, () => {})).to.equal(true);
    expect(withConstant(1000, () => {})).to.equal(false);
  });

  it('leaves zeros out that a tensor is filled up with', () => {
    const zeros = (graph: Graph) => graph.output('z', mul(expand(graph.scalar(0), [100_000]), 2));
    expect(withConstant(1000, zeros)).to.equal(false);
  });
});

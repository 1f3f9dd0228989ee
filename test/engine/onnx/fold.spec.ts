/** Passes over finished graphs: what they compute stays, what they are made of changes. */
import { expect } from 'chai';
import { Graph } from '../../../engine/graph';
import { fold } from '../../../engine/onnx/fold';
import { toOpset17 } from '../../../engine/onnx/opset17';
import { valuesOf } from '../../../engine/onnx/rewrite';
import { batchNormEval, conv2d, linear, max, maxPool, mean, relu, reshape, sum } from '../../../engine/ops';
import { Session } from '../../../engine/session';
import type { Tensor } from '../../../engine/tensor';
import type { NdArray } from '../../../formats/ndarray';
import { expectClose } from '../../helpers/engine';
import { draw } from '../../helpers/nets';

const operatorsOf = (graph: Graph) => graph.nodes.map(({ opType }) => opType);

/** A graph with the input x and the output y, whose parameters are random. */
function graphOf(shape: number[], build: (x: Tensor, weight: Weight) => Tensor): Graph {
  const graph = new Graph();
  const weight: Weight = (name, dims, low = -1) => graph.parameter(name, dims, () => draw(1, name, dims, low, 1));
  graph.output('y', build(graph.input('x', 'float32', shape), weight));
  return graph;
}

type Weight = (name: string, shape: number[], low?: number) => Tensor;

function batchNorm(x: Tensor, weight: Weight, name = 'bn'): Tensor {
  const shape = [x.shape[1]!];
  const [gamma, bias, runningMean] = ['weight', 'bias', 'running_mean'].map((key) => weight(`${name}.${key}`, shape));
  const runningVar = weight(`${name}.running_var`, shape, 0.5);
  return batchNormEval(x, { weight: gamma!, bias: bias!, runningMean: runningMean!, runningVar }, { eps: 0.01 });
}

async function valueOf(graph: Graph, opset?: number): Promise<NdArray> {
  const session = await Session.create(graph, { threads: 1, frozen: valuesOf(graph), ...(opset && { opset }) });
  const { shape } = graph.inputs.get('x')!;
  const { y } = await session.run({ x: draw(2, 'x', shape, -1, 1) });
  await session.release();
  return y!;
}

/** Folds a graph, which must change nothing of its value, and returns its operators. */
async function folded(graph: Graph): Promise<string[]> {
  const result = fold(graph, valuesOf(graph));
  expectClose(await valueOf(result), await valueOf(graph), 1e-6);
  return operatorsOf(result);
}

describe('fold', () => {
  it('gives weights the shape in which they are read, unless they are read in two', async () => {
    const once = graphOf([2, 3], (x, w) => linear(x, reshape(w('fc.weight', [4, 3, 1, 1]), [4, 3])));
    expect(await folded(once)).to.deep.equal(['Gemm']);
    const twice = graphOf([3, 3], (x, w) => {
      const weight = w('fc.weight', [9]);
      return linear(linear(x, reshape(weight, [3, 3])), reshape(weight, [3, 3]));
    });
    expect(await folded(twice)).to.deep.equal(['Reshape', 'Gemm', 'Reshape', 'Gemm']);
  });

  it('takes BatchNorm into a convolution, which gets a bias', async () => {
    const graph = graphOf([2, 3, 5, 5], (x, w) => batchNorm(conv2d(x, w('conv.weight', [4, 3, 3, 3])), w));
    expect(await folded(graph)).to.deep.equal(['Conv']);
    expect([...fold(graph, valuesOf(graph)).states.keys()]).to.deep.equal(['conv.weight', 'conv.bias']);
  });

  it('takes BatchNorm into a convolution with groups, stride and a bias', async () => {
    const graph = graphOf([2, 4, 6, 6], (x, w) => {
      const y = conv2d(x, w('conv.weight', [6, 2, 3, 3]), w('conv.bias', [6]), { groups: 2, stride: 2, padding: 1 });
      return relu(batchNorm(y, w));
    });
    expect(await folded(graph)).to.deep.equal(['Conv', 'Relu']);
  });

  it('takes BatchNorm into a linear layer', async () => {
    const graph = graphOf([3, 7], (x, w) => batchNorm(linear(x, w('fc.weight', [5, 7]), w('fc.bias', [5])), w));
    expect(await folded(graph)).to.deep.equal(['Gemm']);
  });

  it('moves a ReLU in front of a max-pool', async () => {
    const graph = graphOf([2, 3, 6, 6], (x, w) => {
      const y = batchNorm(conv2d(x, w('conv.weight', [4, 3, 3, 3])), w);
      return relu(maxPool(y, { kernel: 3, stride: 1, padding: 1 }));
    });
    expect(await folded(graph)).to.deep.equal(['Conv', 'Relu', 'MaxPool']);
  });

  it('leaves a BatchNorm that follows something else', async () => {
    const graph = graphOf([2, 3, 5, 5], (x, w) => conv2d(relu(batchNorm(x, w)), w('conv.weight', [4, 3, 3, 3])));
    expect(await folded(graph)).to.deep.equal(['BatchNormalization', 'Relu', 'Conv']);
  });

  it('leaves a BatchNorm whose layer has other readers, or is an output itself', async () => {
    const layer = (x: Tensor, w: Weight) => conv2d(x, w('conv.weight', [4, 3, 3, 3]));
    const twice = graphOf([2, 3, 5, 5], (x, w) => {
      const y = layer(x, w);
      x.graph.output('z', y);
      return batchNorm(y, w);
    });
    expect(await folded(twice)).to.deep.equal(['Conv', 'BatchNormalization']);
    const both = graphOf([2, 3, 5, 5], (x, w) => {
      const y = layer(x, w);
      return relu(batchNorm(y, w, 'a')).graph.emit('Add', [batchNorm(y, w, 'b'), y], y.shape);
    });
    expect(operatorsOf(fold(both, valuesOf(both)))).to.include('BatchNormalization');
  });

  it('leaves the BatchNorm of layers that share a weight', async () => {
    const graph = graphOf([2, 3, 5, 5], (x, w) => {
      const weight = w('conv.weight', [3, 3, 1, 1]);
      return batchNorm(conv2d(batchNorm(conv2d(x, weight), w, 'a'), weight), w, 'b');
    });
    expect(await folded(graph)).to.deep.equal(['Conv', 'BatchNormalization', 'Conv', 'BatchNormalization']);
  });

  it('takes the weights that it is given', async () => {
    const graph = graphOf([2, 3, 5, 5], (x, w) => batchNorm(conv2d(x, w('conv.weight', [4, 3, 1, 1])), w));
    const zero = { ...valuesOf(graph).get('bn.weight')!, data: new Float32Array(4) };
    const bias = valuesOf(graph).get('bn.bias')!.data as Float32Array;
    const y = await valueOf(fold(graph, new Map([...valuesOf(graph), ['bn.weight', zero]])));
    for (let k = 0; k < 4; k++) expect(y.data[25 * k]).to.equal(bias[k]);
  });
});

describe('toOpset17', () => {
  const reductions = { mean, max, sum };
  for (const [name, reduce] of Object.entries(reductions)) {
    it(`keeps the value of ${name}, over some axes and over all`, async () => {
      const some = graphOf([2, 3, 4, 5], (x) => reduce(x, { axes: [1, 3], keepDims: true }));
      const all = graphOf([2, 3, 4, 5], (x) => reduce(x));
      for (const graph of [some, all]) expectClose(await valueOf(toOpset17(graph), 17), await valueOf(graph), 1e-6);
    });
  }

  it('is what the operators need: as they are, version 17 refuses them', async () => {
    let failed = false;
    await valueOf(
      graphOf([2, 3, 4, 5], (x) => mean(x)),
      17,
    ).catch(() => (failed = true));
    expect(failed).to.equal(true);
  });
});

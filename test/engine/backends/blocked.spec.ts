/** Graphs in ONNX Runtime's blocked layout, beside the same graphs as they were. */
import { expect } from 'chai';
import { gradients } from '../../../engine/autodiff';
import { toBlockedLayout } from '../../../engine/backends/blocked';
import { blockSize } from '../../../engine/backends/blocked/block_size';
import { BLOCKED_DOMAIN } from '../../../engine/backends/blocked/operators';
import { Graph } from '../../../engine/graph';
import * as ops from '../../../engine/ops';
import type { ConvOptions } from '../../../engine/ops/conv';
import { OPTIMIZER_PREFIX, sgd } from '../../../engine/optimizers';
import { Session, State } from '../../../engine/session';
import type { Tensor } from '../../../engine/tensor';
import { ndarray, sizeOf, type NdArray } from '../../../formats/ndarray';
import { nets } from '../../../model/nets';
import { trainingGraph } from '../../../model/training/step_graph';
import { Random } from '../../../utils/random';
import { trainingOptions } from '../../helpers/training';

const IMAGES = 16;
const CHANNELS = 32;
const TOLERANCE = 1e-5;

function draw(stream: string, shape: readonly number[]): NdArray {
  const values = new Float32Array(sizeOf(shape));
  new Random(7, stream).fillUniform(values, -0.5, 0.5);
  return ndarray('float32', shape, values);
}

function bytes(stream: string, count: number): Uint8Array {
  const values = new Float32Array(count);
  new Random(7, stream).fillUniform(values, 0, 256);
  return Uint8Array.from(values);
}

/** ‖a − b‖ / ‖b‖ */
function difference(a: NdArray, b: NdArray): number {
  let [error, norm] = [0, 0];
  b.data.forEach((value, i) => {
    error += (Number(a.data[i]) - Number(value)) ** 2;
    norm += Number(value) ** 2;
  });
  return Math.sqrt(error / Math.max(norm, 1e-30));
}

const weights = (graph: Graph, name: string, shape: readonly number[]) =>
  graph.parameter(name, shape, () => draw(name, shape));

function conv(x: Tensor, features: number, kernel: number, options: ConvOptions = {}): Tensor {
  const { graph, shape } = x;
  const perGroup = shape[1]! / (options.groups ?? 1);
  return ops.conv2d(
    x,
    weights(graph, `w${graph.states.size}`, [features, perGroup, kernel, kernel]),
    undefined,
    options,
  );
}

function norm(x: Tensor, eps?: number): Tensor {
  const { graph } = x;
  const vector = (value: number) => () => ndarray('float32', [x.shape[1]!], new Float32Array(x.shape[1]!).fill(value));
  const name = `norm${graph.states.size}`;
  const state = {
    weight: weights(graph, `${name}.weight`, [x.shape[1]!]),
    bias: weights(graph, `${name}.bias`, [x.shape[1]!]),
    runningMean: graph.buffer(`${name}.mean`, 'float32', [x.shape[1]!], vector(0.1)),
    runningVar: graph.buffer(`${name}.var`, 'float32', [x.shape[1]!], vector(2)),
  };
  return eps === undefined ? ops.batchNorm(x, state) : ops.batchNormEval(x, state, { eps });
}

/** What stands between two convolutions. */
const cases: Record<string, (x: Tensor) => Tensor> = {
  nothing: (x) => x,
  'batchNorm, relu': (x) => ops.relu(norm(x)),
  batchNormEval: (x) => norm(x, 1e-5),
  'a residual block': (x) =>
    ops.relu(ops.add(norm(conv(ops.relu(norm(conv(x, CHANNELS, 3, { padding: 1 }))), CHANNELS, 3, { padding: 1 })), x)),
  'a shortcut with a convolution': (x) =>
    ops.relu(ops.add(norm(conv(x, 64, 3, { padding: 1, stride: 2 })), norm(conv(x, 64, 1, { stride: 2 })))),
  relu6: (x) => ops.relu6(x),
  leakyRelu: (x) => ops.leakyRelu(x, 0.1),
  'sigmoid, tanh, softplus': (x) => ops.softplus(ops.tanh(ops.sigmoid(x))),
  'arithmetic with scalars': (x) => ops.div(ops.sub(ops.mul(x, 2), 0.5), 3),
  'a factor by channel': (x) => ops.mul(x, weights(x.graph, 'factor', [1, CHANNELS, 1, 1])),
  'a factor by image and channel': (x) => ops.mul(x, ops.reshape(ops.globalAvgPool(x), [IMAGES, CHANNELS, 1, 1])),
  'a factor by pixel': (x) => ops.mul(x, weights(x.graph, 'factor', [1, 1, 6, 6])),
  'a factor by column': (x) => ops.mul(x, weights(x.graph, 'factor', [6])),
  'a sum with what is not blocked': (x) => ops.add(x, weights(x.graph, 'term', [IMAGES, CHANNELS, 6, 6])),
  'maxPool 2': (x) => ops.maxPool(x, { kernel: 2 }),
  'maxPool 3, stride 2, padding 1': (x) => ops.maxPool(x, { kernel: 3, stride: 2, padding: 1 }),
  'maxPool 3, stride 1, padding 1': (x) => ops.maxPool(x, { kernel: 3, stride: 1, padding: 1 }),
  'avgPool 2': (x) => ops.avgPool(x, 2),
  'avgPool 3, stride 1, padding 1': (x) => ops.avgPool(x, 3, { stride: 1, padding: 1 }),
  'concat of channels': (x) => ops.concat([conv(x, 16, 1), x, conv(x, 48, 3, { padding: 1 })], 1),
  'concat of channels that fill no block': (x) => ops.concat([conv(x, 12, 1), x], 1),
  'slice of channels': (x) => ops.slice(x, 1, 16, 32),
  'slice of channels across blocks': (x) => ops.slice(x, 1, 4, 20),
  'slice of rows': (x) => ops.slice(x, 2, 1, 6, 2),
  pad: (x) => ops.pad(x, 3, 1, 2),
  'pad of channels': (x) => ops.pad(x, 1, 0, 16),
  upsample: (x) => ops.upsample(x, 2),
  channelShuffle: (x) => ops.channelShuffle(x, 4),
  transpose: (x) => ops.transpose(x, [0, 1, 3, 2]),
  'mean over rows': (x) => ops.mul(x, ops.mean(x, { axes: [2], keepDims: true })),
  'mean over channels': (x) => ops.mul(x, ops.mean(x, { axes: [1], keepDims: true })),
  'max over the map': (x) => ops.sub(x, ops.max(x, { axes: [2, 3], keepDims: true })),
  'sum over images': (x) => ops.mul(x, ops.sum(x, { axes: [0], keepDims: true })),
  'depthwise 3x3': (x) => conv(x, CHANNELS, 3, { padding: 1, groups: CHANNELS }),
  'depthwise 3x3, stride 2': (x) => conv(x, CHANNELS, 3, { padding: 1, groups: CHANNELS, stride: 2 }),
  groups: (x) => conv(x, CHANNELS, 3, { padding: 1, groups: 2 }),
  '1x1': (x) => conv(x, 16, 1),
  '3x3, stride 2': (x) => conv(x, 64, 3, { padding: 1, stride: 2 }),
  '3x3, dilation 2': (x) => conv(x, CHANNELS, 3, { padding: 2, dilation: 2 }),
  '3x3 without padding': (x) => conv(x, CHANNELS, 3),
  '5x5': (x) => conv(x, CHANNELS, 5, { padding: 2 }),
  'features that fill no block': (x) => conv(x, 20, 3, { padding: 1 }),
  'a channel that fills no block, wide': (x) => conv(ops.relu(conv(x, 24, 1)), CHANNELS, 3, { padding: 1 }),
};

/** Two convolutions with something between them, and the gradients to all that is trained. */
function sandwich(between: (x: Tensor) => Tensor): Graph {
  const graph = new Graph();
  const x = weights(graph, 'x', [IMAGES, 3, 6, 6]);
  const middle = between(conv(x, CHANNELS, 3, { padding: 1 }));
  const y = conv(middle, 16, 1);
  const loss = ops.sum(ops.mul(y, graph.constant(draw('cotangent', y.shape))));
  const parameters = [...graph.states.values()].filter(({ trainable }) => trainable).map(({ tensor }) => tensor);
  gradients(loss, parameters).forEach((grad, i) => graph.output(`gradient to ${parameters[i]!.name}`, grad));
  graph.output('between', middle);
  graph.output('y', y);
  return withoutUpdates(graph);
}

/** A graph that Session leaves in the layout that it is in. */
function withoutUpdates(graph: Graph): Graph {
  for (const [name, tensor] of graph.updates) graph.output(`new ${name}`, tensor);
  graph.updates.clear();
  return graph;
}

async function results(graph: Graph, state: State, feeds: Record<string, NdArray> = {}) {
  const session = await Session.create(graph, { threads: 1 });
  return session.run(feeds, state).finally(() => session.release());
}

describe('graphs in the blocked layout', function () {
  this.timeout(60_000);
  let block = 0;

  before(async function () {
    block = await blockSize();
    if (block <= 1) this.skip();
  });

  for (const [name, between] of Object.entries(cases)) {
    it(name, async () => {
      const graph = sandwich(between);
      const layout = toBlockedLayout(graph, block);
      const isBlocked = layout.nodes.some(({ opType, domain }) => opType === 'Conv' && domain === BLOCKED_DOMAIN);
      expect(isBlocked).to.equal(true);
      const state = State.initial(graph);
      const [expected, found] = [await results(graph, state), await results(layout, state)];
      expect(Object.keys(found)).to.deep.equal(Object.keys(expected));
      for (const key of Object.keys(expected)) {
        expect([...found[key]!.shape], key).to.deep.equal([...expected[key]!.shape]);
        expect(difference(found[key]!, expected[key]!), key).to.be.below(TOLERANCE);
      }
    });
  }

  it('stays in it from one convolution to the next', () => {
    const layout = toBlockedLayout(sandwich(cases['a residual block']!), block);
    const count = (opType: string) => layout.nodes.filter((node) => node.opType === opType).length;
    expect(count('BatchNormalization'), 'normalization by depthwise convolutions').to.equal(0);
    expect(count('Relu'), 'ReLU with a convolution').to.equal(0);
    expect(count('ReduceSumSquare'), 'squares summed by depthwise convolutions').to.equal(0);
  });

  // With Softplus for ReLU: a pixel within a rounding error of a kink would have either gradient.
  const families = ['resnet8', 'preact_resnet18', 'senet18', 'mobilenetv2', 'shufflenetv2', 'vgg11', 'wrn10_1'];
  for (const name of families) {
    it(`a step of ${name}`, async () => {
      const model = {
        net: nets[name]!.build,
        options: { classes: 10, numChannels: CHANNELS, dropoutRate: 0 },
        normalize: { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] },
        input: [3, 32, 32] as const,
      };
      const graph = withoutUpdates(trainingGraph(model, trainingOptions(sgd({ momentum: 0.9 }), IMAGES)));
      graph.nodes.forEach((node, i) => {
        if (node.opType === 'Relu') graph.nodes[i] = { ...node, opType: 'Softplus' };
      });
      const feeds = {
        images: ndarray('uint8', [IMAGES, 3, 32, 32], bytes('images', IMAGES * 3072)),
        labels: ndarray(
          'int32',
          [IMAGES],
          Int32Array.from({ length: IMAGES }, (_, i) => i % 10),
        ),
        ...graph.feeds({ seed: 0, step: 1, epoch: 1, epochs: 1, learningRate: 0.1 }),
      };
      const state = State.initial(graph);
      const [expected, found] = [
        await results(graph, state, feeds),
        await results(toBlockedLayout(graph, block), state, feeds),
      ];
      expect(difference(found.loss!, expected.loss!)).to.be.below(TOLERANCE);
      const kernels = Object.keys(expected).filter(
        (key) => key.startsWith(`new ${OPTIMIZER_PREFIX}`) && expected[key]!.shape.length === 4,
      );
      expect(kernels).to.have.length.above(0);
      for (const key of kernels) expect(difference(found[key]!, expected[key]!), key).to.be.below(1e-4);
    });
  }
});

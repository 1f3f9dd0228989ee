/**
 * The gradients of convolutions in the blocked layout (engine/backends/blocked/weight_gradient.ts and transposed_convolution.ts),
 * beside those of the plain graph.
 */
import { expect } from 'chai';
import { gradients } from '../../../../engine/autodiff';
import { toBlockedLayout } from '../../../../engine/backends/blocked';
import { blockSize } from '../../../../engine/backends/blocked/block_size';
import { Graph } from '../../../../engine/graph';
import { conv2d, convTranspose2d, mul, sum } from '../../../../engine/ops';
import type { ConvOptions, ConvTransposeOptions } from '../../../../engine/ops/conv';
import { Session, State } from '../../../../engine/session';
import { ndarray, sizeOf, type NdArray } from '../../../../formats/ndarray';
import { Random } from '../../../../utils/random';
import { expectClose } from '../../../helpers/engine';

interface Case extends ConvOptions {
  readonly batch?: number;
  readonly channels?: number;
  readonly features?: number;
  readonly map?: readonly [number, number];
  readonly kernel?: readonly [number, number];
  /** Operators of the plain gradients that stay, as the blocked way is not for this case. */
  readonly keeps?: readonly string[];
}

const cases: Record<string, Case> = {
  '3x3': {},
  '3x3 of one block': { channels: 16, features: 16 },
  '3x3 of three blocks': { channels: 48, features: 32, batch: 32 },
  '3x3 of an image with 3 channels': { channels: 3 },
  '3x3 of 12 channels': { channels: 12 },
  '3x3 of 20 channels': { channels: 20, keeps: ['MatMul'] },
  '3x3 with 24 features': { features: 24, keeps: ['MatMul'] },
  '3x3 of 30 images': { batch: 30 },
  '3x3 of 45 images': { batch: 45, channels: 3 },
  '3x3 of 5 images': { batch: 5, keeps: ['MatMul'] },
  '3x3 on a wide map': { map: [3, 11] },
  '3x3 on a tall map': { map: [9, 2] },
  '3x3 on one pixel': { map: [1, 1] },
  '3x3 without padding': { padding: 0 },
  '3x3 with padding 2': { padding: 2 },
  '1x1': { kernel: [1, 1], padding: 0 },
  '1x1 of an image': { kernel: [1, 1], padding: 0, channels: 3 },
  '1x1 with stride 2 on an odd map': { kernel: [1, 1], padding: 0, stride: 2, map: [7, 5] },
  '1x1 with stride 2': { kernel: [1, 1], padding: 0, stride: 2, keeps: ['MatMul'] },
  '3x1': { kernel: [3, 1], padding: [1, 0] },
  '1x3': { kernel: [1, 3], padding: [0, 1] },
  '5x5': { kernel: [5, 5], padding: 2 },
  '7x7 with stride 2 of an image': {
    kernel: [7, 7],
    padding: 3,
    stride: 2,
    channels: 3,
    map: [12, 12],
    keeps: ['ConvTranspose'],
  },
  '3x3 depthwise': { groups: 32 },
  '3x3 depthwise of 40 channels': { channels: 40, features: 40, groups: 40 },
  '7x7 depthwise of 3 channels on a small map': {
    channels: 3,
    features: 3,
    groups: 3,
    kernel: [7, 7],
    padding: 3,
    map: [2, 3],
  },
  '5x5 depthwise with stride 2': {
    groups: 32,
    kernel: [5, 5],
    padding: 2,
    stride: 2,
    map: [7, 7],
  },
  '3x3 depthwise with stride 2 of 20 channels': {
    channels: 20,
    features: 20,
    groups: 20,
    stride: 2,
  },
  '1x1 depthwise with stride 2 on an odd map': { groups: 32, kernel: [1, 1], padding: 0, stride: 2, map: [7, 5] },
  '3x3 depthwise with stride 2': { groups: 32, stride: 2 },
  '3x3 depthwise with dilation 2': { groups: 32, dilation: 2, padding: 2 },
  '3x3 in 2 groups': { groups: 2, keeps: ['MatMul'] },
  '3x3 with stride 2': { stride: 2 },
  '3x3 with stride 2 on an odd map': { stride: 2, map: [7, 5] },
  '3x3 with stride 2 without padding': { stride: 2, padding: 0, map: [7, 7] },
  '3x3 with stride 2 that leaves a border out': { stride: 2, padding: 0, keeps: ['MatMul'] },
  '4x4 with stride 2': { kernel: [4, 4], stride: 2 },
  '2x2 with stride 2': { kernel: [2, 2], padding: 0, stride: 2 },
  '2x2 with stride 2 and padding': { kernel: [2, 2], padding: 1, stride: 2, keeps: ['ConvTranspose'] },
  '5x5 with stride 3': { kernel: [5, 5], padding: 2, stride: 3, map: [7, 7] },
  '3x3 with strides 1 and 2': { stride: [1, 2], map: [5, 7] },
  '3x3 with strides 2 and 1': { stride: [2, 1], map: [5, 7] },
  '3x3 with dilation 2': { dilation: 2, padding: 2, keeps: ['MatMul'] },
  '3x3 with dilation 2 of an image': { dilation: 2, padding: 2, channels: 3 },
  '3x3 with vertical dilation': { dilation: [2, 1], padding: [2, 1] },
  '3x3 with dilation and stride 2': {
    dilation: 2,
    padding: 2,
    stride: 2,
    map: [7, 7],
    keeps: ['MatMul', 'ConvTranspose'],
  },
};

const transposed: Record<
  string,
  ConvTransposeOptions & { readonly kernel: number; readonly keeps?: readonly string[] }
> = {
  '4x4, stride 2, padding 1': { kernel: 4, stride: 2, padding: 1 },
  '3x3, stride 2, padding 1, output padding 1': { kernel: 3, stride: 2, padding: 1, outputPadding: 1 },
  '3x3, stride 2, padding 1': { kernel: 3, stride: 2, padding: 1 },
  '3x3, stride 3': { kernel: 3, stride: 3 },
  '2x2, stride 3': { kernel: 2, stride: 3 },
  '5x5, stride 2': { kernel: 5, stride: 2 },
  '3x3, stride 1': { kernel: 3, padding: 1, keeps: ['ConvTranspose'] },
};

function normal(stream: string, shape: readonly number[]): NdArray {
  const values = new Float32Array(sizeOf(shape));
  new Random(1, stream).fillNormal(values, 0, 1);
  return ndarray('float32', shape, values);
}

async function results(graph: Graph): Promise<Record<string, NdArray>> {
  const session = await Session.create(graph, { threads: 1 });
  return session.run({}, State.initial(graph)).finally(() => session.release());
}

async function expectSame(graph: Graph, block: number, keeps: readonly string[]): Promise<void> {
  const layout = toBlockedLayout(graph, block);
  const operators = new Set(layout.nodes.map(({ opType }) => opType));
  const kept = ['ConvTranspose', 'MatMul'].filter((opType) => operators.has(opType));
  if (block === 16) expect(kept).to.have.members(keeps);
  const [expected, found] = [await results(graph), await results(layout)];
  for (const key of Object.keys(expected)) expectClose(found[key]!, expected[key]!, 4e-6, key);
}

describe('gradients of convolutions in the blocked layout', function () {
  this.timeout(60_000);
  let block = 0;

  before(async function () {
    block = await blockSize();
    if (block <= 1) this.skip();
  });

  for (const [
    name,
    { batch = 16, channels = 32, features = 32, map = [6, 6], kernel = [3, 3], keeps = [], ...options },
  ] of Object.entries(cases)) {
    it(name, () => {
      const graph = new Graph();
      const x = graph.parameter('x', [batch, channels, ...map], () => normal(`${name}/x`, [batch, channels, ...map]));
      const shape = [features, channels / (options.groups ?? 1), ...kernel];
      const weight = graph.parameter('weight', shape, () => normal(`${name}/weight`, shape));
      const y = conv2d(x, weight, undefined, { padding: 1, ...options });
      const cotangent = graph.constant(normal(`${name}/cotangent`, y.shape));
      gradients(sum(mul(y, cotangent)), [x, weight]).forEach((grad, i) => graph.output(`gradient ${i}`, grad));
      return expectSame(graph, block, keeps);
    });
  }

  for (const [name, { kernel, keeps = [], ...options }] of Object.entries(transposed)) {
    it(`transposed: ${name}`, () => {
      const graph = new Graph();
      const x = graph.parameter('x', [16, 32, 5, 4], () => normal(`${name}/x`, [16, 32, 5, 4]));
      const shape = [32, 48, kernel, kernel];
      const weight = graph.parameter('weight', shape, () => normal(`${name}/weight`, shape));
      const y = convTranspose2d(x, weight, undefined, options);
      const cotangent = graph.constant(normal(`${name}/cotangent`, y.shape));
      gradients(sum(mul(y, cotangent)), [x, weight]).forEach((grad, i) => graph.output(`gradient ${i}`, grad));
      graph.output('y', y);
      return expectSame(graph, block, keeps);
    });
  }
});

/** Every way of computing a convolution's weight gradient, against the sum of its definition in float64. */
import { expect } from 'chai';
import type { Geometry, Pair } from '../../../engine/ops/conv_hints';
import * as lowerings from '../../../engine/ops/conv_weight';
import type { Tensor } from '../../../engine/tensor';
import { ndarray, sizeOf, type NdArray } from '../../../formats/ndarray';
import { Random } from '../../../utils/random';
import { compute } from '../../helpers/compute';
import { expectClose, float32 } from '../../helpers/engine';

interface Case extends Geometry {
  readonly name: string;
  readonly batch: number;
  readonly channels: number;
  readonly features: number;
  readonly map: Pair;
}

type Lowering = (x: Tensor, grad: Tensor, shape: readonly number[], geometry: Geometry) => Tensor;

/** What each lowering is for; the first one chooses among the others. */
const applies: Record<keyof typeof lowerings, (geometry: Geometry) => boolean> = {
  weightGradient: () => true,
  byTaps: ({ groups }) => groups === 1,
  byCrossing: ({ groups, stride }) => groups === 1 && stride[0] === 1,
  byRows: ({ groups, stride }) => groups === 1 && stride[0] === 1 && stride[1] === 1,
};

const plain = {
  batch: 3,
  channels: 5,
  features: 4,
  map: [6, 6],
  kernel: [3, 3],
  stride: [1, 1],
  padding: [1, 1],
  dilation: [1, 1],
  groups: 1,
} as const;

const cases: Case[] = [
  { ...plain, name: '3x3' },
  { ...plain, name: '3x3 of 16 channels', channels: 16 },
  { ...plain, name: '3x3 of 64 channels', batch: 2, channels: 64, map: [8, 8] },
  { ...plain, name: '3x3 of one image, channel and feature', batch: 1, channels: 1, features: 1 },
  { ...plain, name: '3x3 on a wide map', channels: 16, map: [4, 9] },
  { ...plain, name: '3x3 on a tall map', channels: 64, map: [9, 2] },
  { ...plain, name: '3x3 without padding', channels: 16, padding: [0, 0] },
  { ...plain, name: '3x3 to a single pixel', channels: 64, map: [3, 3], padding: [0, 0] },
  { ...plain, name: '3x3 with padding 2', channels: 64, padding: [2, 2] },
  { ...plain, name: '3x3 on one pixel', channels: 64, map: [1, 1] },
  { ...plain, name: '5x5', channels: 16, kernel: [5, 5], padding: [2, 2] },
  { ...plain, name: '5x5 on two pixels', channels: 64, map: [1, 2], kernel: [5, 5], padding: [2, 2] },
  { ...plain, name: '3x1', channels: 16, kernel: [3, 1], padding: [1, 0] },
  { ...plain, name: '1x3', channels: 16, kernel: [1, 3], padding: [0, 1] },
  { ...plain, name: '3x3 with dilation 2', channels: 16, padding: [2, 2], dilation: [2, 2] },
  { ...plain, name: '3x3 with dilation 2, no padding', channels: 64, padding: [0, 0], dilation: [2, 2] },
  { ...plain, name: '3x3 with dilations 3 and 1', channels: 16, map: [7, 5], padding: [3, 0], dilation: [3, 1] },
  { ...plain, name: '1x1', kernel: [1, 1], padding: [0, 0] },
  { ...plain, name: '1x1 of 64 channels', channels: 64, kernel: [1, 1], padding: [0, 0] },
  { ...plain, name: '1x1 with stride 2', channels: 16, kernel: [1, 1], padding: [0, 0], stride: [2, 2] },
  { ...plain, name: '3x3 with stride 2', channels: 16, stride: [2, 2] },
  { ...plain, name: '3x3 with stride 2 on an odd map', channels: 64, map: [7, 5], stride: [2, 2] },
  { ...plain, name: '3x3 with strides 1 and 2', channels: 16, map: [5, 8], stride: [1, 2] },
  { ...plain, name: '3x3 with strides 2 and 1', channels: 64, map: [5, 7], stride: [2, 1] },
  { ...plain, name: '4x4 with stride 3 that leaves a border out', map: [9, 8], kernel: [4, 4], stride: [3, 3] },
  { ...plain, name: '3x3 in 2 groups', channels: 6, groups: 2 },
  { ...plain, name: '3x3 depthwise with stride 2', channels: 4, groups: 4, stride: [2, 2] },
  { ...plain, name: '3x3 depthwise', channels: 4, groups: 4, map: [4, 7] },
  {
    ...plain,
    name: '3x3 depthwise with stride 3 that leaves a border out',
    channels: 4,
    groups: 4,
    map: [8, 7],
    padding: [0, 0],
    stride: [3, 3],
  },
  {
    ...plain,
    name: '3x3 depthwise with dilation 2, stride 2',
    channels: 4,
    groups: 4,
    map: [9, 8],
    padding: [2, 2],
    dilation: [2, 2],
    stride: [2, 2],
  },
  { ...plain, name: '3x3 depthwise, two features a channel', channels: 2, groups: 2, map: [4, 7] },
];

/** ∂w[k,c,r,t] = Σ ∂y[n,k,i,j] · x[n, c, i·s + r·d − p, j·s + t·d − p], c counted within its group. */
function definition(x: NdArray, grad: NdArray, shape: readonly number[], geometry: Geometry): NdArray {
  const { stride, padding, dilation, groups } = geometry;
  const [batch = 0, channels = 0, height = 0, width = 0] = x.shape;
  const [, features = 0, rows = 0, cols = 0] = grad.shape;
  const [, perGroup = 0, tall = 0, wide = 0] = shape;
  const [from, by] = [x.data as Float32Array, grad.data as Float32Array];
  const result = new Float64Array(sizeOf(shape));
  for (let at = 0; at < result.length; at++) {
    const [k, c] = [Math.floor(at / (perGroup * tall * wide)), Math.floor(at / (tall * wide)) % perGroup];
    const [r, t] = [Math.floor(at / wide) % tall, at % wide];
    const channel = Math.floor(k / (features / groups)) * perGroup + c;
    for (let n = 0; n < batch; n++) {
      for (let i = 0; i < rows; i++) {
        for (let j = 0; j < cols; j++) {
          const row = i * stride[0] + r * dilation[0] - padding[0];
          const col = j * stride[1] + t * dilation[1] - padding[1];
          if (row < 0 || row >= height || col < 0 || col >= width) continue;
          result[at]! +=
            by[((n * features + k) * rows + i) * cols + j]! *
            from[((n * channels + channel) * height + row) * width + col]!;
        }
      }
    }
  }
  return ndarray('float64', shape, result);
}

function normal(stream: string, shape: readonly number[]): NdArray {
  const values = new Float32Array(sizeOf(shape));
  new Random(1, stream).fillNormal(values, 0, 1);
  return float32(shape, values);
}

describe("the gradient to a convolution's weight", () => {
  it('is tested for every lowering', () => {
    expect(Object.keys(applies)).to.have.members(Object.keys(lowerings));
    for (const isFor of Object.values(applies)) expect(cases.filter(isFor)).to.have.length.above(10);
  });

  for (const { name, batch, channels, features, map, ...geometry } of cases) {
    it(name, async () => {
      const { kernel, stride, padding, dilation, groups } = geometry;
      const out = [0, 1].map((axis) => {
        const reach = dilation[axis]! * (kernel[axis]! - 1) + 1;
        return Math.floor((map[axis]! + 2 * padding[axis]! - reach) / stride[axis]!) + 1;
      });
      const x = normal(`${name}/x`, [batch, channels, ...map]);
      const grad = normal(`${name}/grad`, [batch, features, ...out]);
      const shape = [features, channels / groups, ...kernel];
      const ways = Object.entries<Lowering>(lowerings).filter(([way]) =>
        applies[way as keyof typeof lowerings](geometry),
      );
      const results = await compute({ x, grad }, (tensors) =>
        Object.fromEntries(ways.map(([way, lower]) => [way, lower(tensors.x, tensors.grad, shape, geometry)])),
      );
      const expected = definition(x, grad, shape, geometry);
      for (const [way] of ways) expectClose(results[way]!, expected, 2e-6, way);
    });
  }
});

/** What the cases of operators are made of: values on a grid, and the shapes that a kind of operator is tried at. */
import * as ops from '../../engine/ops';
import type { ConvOptions } from '../../engine/ops/conv';
import type { Tensor } from '../../engine/tensor';
import { sizeOf, type NdArray } from '../../formats/ndarray';
import { Random } from '../../utils/random';
import { float32, type Build } from './engine';

export interface OperatorCase {
  readonly inputs: readonly NdArray[];
  readonly build: Build;
}

/** What values are multiples of. */
const GRID = 2 ** -11;
/** Between values that a small step must not bring together. */
const APART = 2 ** -4;

/** Values of [low, high) on the grid. */
export function between(low: number, high: number, shape: readonly number[]): NdArray<'float32'> {
  const values = new Float32Array(sizeOf(shape));
  new Random(3, `between ${low} ${high} ${shape.join()}`).fillUniform(values, low, high);
  return float32(
    shape,
    values.map((value) => Math.floor(value / GRID) * GRID),
  );
}

/** Values of [-2, 2) that are distinct and at least 2^-4 apart; at most 64. */
export function distinct(shape: readonly number[]): NdArray<'float32'> {
  const order = new Random(4, `distinct ${shape.join()}`).permutation(sizeOf(shape));
  return float32(
    shape,
    Array.from(order, (place) => place * APART - 2),
  );
}

/** Values from -2 to 8, at least 2^-4 away from each of the kinks. */
export function awayFrom(kinks: readonly number[], shape: readonly number[]): NdArray<'float32'> {
  const values = between(-2, 8, shape).data;
  return float32(
    shape,
    values.map((value) => (kinks.some((kink) => Math.abs(value - kink) < APART) ? value + 2 * APART : value)),
  );
}

export const x4 = between(-2, 2, [2, 3, 4, 5]);
export const matrix = between(-2, 2, [3, 5]);

export const unary = (build: (x: Tensor) => Tensor, x: NdArray = matrix): OperatorCase => ({ inputs: [x], build });

/** Both operands alike, broadcast in both directions, and beside a number. */
export const binary = (build: (a: Tensor | number, b: Tensor | number) => Tensor): Record<string, OperatorCase> => {
  const positive = (shape: readonly number[]) => between(0.5, 2, shape);
  return {
    alike: { inputs: [matrix, positive([3, 5])], build },
    broadcast: { inputs: [between(-2, 2, [4, 1, 5]), positive([3, 1])], build },
    'per channel': { inputs: [x4, positive([1, 3, 1, 1])], build },
    'with a number': unary((x) => build(x, 1.5)),
    'of a number': unary((x) => build(1.5, x), positive([3, 5])),
    'with its own square': unary((x) => build(x, ops.square(x)), positive([3, 5])),
  };
};

export const reduction = (build: typeof ops.sum, x: NdArray): Record<string, OperatorCase> => ({
  all: unary((x) => build(x), x),
  'middle axes': unary((x) => build(x, { axes: [1, 2] }), x),
  'middle axes, kept': unary((x) => build(x, { axes: [1, 2], keepDims: true }), x),
});

export function convolution(x: number[], weight: number[], options: ConvOptions, bias = false): OperatorCase {
  const arrays = [between(-1, 1, x), between(-1, 1, weight), between(-1, 1, [weight[0]!])];
  return { inputs: arrays.slice(0, bias ? 3 : 2), build: (x, weight, bias) => ops.conv2d(x, weight, bias, options) };
}

export const normalization = (build: typeof ops.batchNorm, shape: readonly number[]): OperatorCase => {
  const channels = [shape[1]!];
  return {
    inputs: [between(-2, 2, shape), between(0.5, 2, channels), between(-2, 2, channels)],
    build: (x, weight, bias) => {
      const buffer = (name: string, low: number, high: number) =>
        x.graph.buffer(name, 'float32', channels, () => between(low, high, channels));
      return build(x, { weight, bias, runningMean: buffer('mean', -1, 1), runningVar: buffer('variance', 0.5, 2) });
    },
  };
};

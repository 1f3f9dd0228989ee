/**
 * What some results of convolutions are, beside the nodes that compute them. A backend that knows a faster way on its device
 * may make them by other nodes (see backends/blocked); to all others they are tensors like any other.
 */
import type { Tensor } from '../tensor';

/** Two numbers of a map: along its rows (axis 2) and its columns (axis 3). */
export type Pair = readonly [rows: number, columns: number];

/** How a convolution moves over its input, as `conv2d` is told. */
export interface Geometry {
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly padding: Pair;
  readonly dilation: Pair;
  readonly groups: number;
}

/** The gradient of a convolution of `x` with respect to its weight, where `grad` is that with respect to its result. */
export interface WeightGradient {
  readonly x: Tensor;
  readonly grad: Tensor;
  readonly geometry: Geometry;
}

const weightGradients = new WeakMap<Tensor, WeightGradient>();
const flippedKernels = new WeakMap<Tensor, Tensor>();

/** Notes that a tensor is the gradient of a convolution with respect to its weight. */
export function noteWeightGradient(tensor: Tensor, gradient: WeightGradient): void {
  weightGradients.set(tensor, gradient);
}

/** Of which convolution a tensor is the gradient with respect to the weight; undefined if of none. */
export function weightGradientOf(tensor: Tensor): WeightGradient | undefined {
  return weightGradients.get(tensor);
}

/** Notes that a tensor (C, K, R, T) is the kernel `weight` (K, C, R, T), flipped and transposed, without groups. */
export function noteFlippedKernel(tensor: Tensor, weight: Tensor): void {
  flippedKernels.set(tensor, weight);
}

/** The kernel that a tensor was flipped and transposed from; undefined if from none. */
export function unflippedKernelOf(tensor: Tensor): Tensor | undefined {
  return flippedKernels.get(tensor);
}

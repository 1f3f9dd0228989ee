/**
 * What some results of convolutions are, beside the nodes that compute them. A backend that knows a faster way on its device
 * may make them by other nodes (see backends/blocked); to all others they are tensors like any other.
 */
import type { Tensor } from '../tensor';

/** A number for each direction of a map: along axis 2 (height) and axis 3 (width). */
export type Pair = readonly [rows: number, columns: number];

/** How a convolution moves over its input; all but `groups` in pixels. */
export interface Geometry {
  /** Taps of the kernel. */
  readonly kernel: Pair;
  /** Distance between windows. */
  readonly stride: Pair;
  /** Zeros on each side. */
  readonly padding: Pair;
  /** Distance between taps. */
  readonly dilation: Pair;
  /** Groups of channels that are convolved apart. */
  readonly groups: number;
}

/** The gradient of a convolution of `x` with respect to its weight, where `grad` is that with respect to its result. */
export interface WeightGradient {
  /** (N, C, H, W) */
  readonly x: Tensor;
  /** (N, K, H', W') */
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

/** Notes of `copy` what is noted of `tensor`; `copyOf` finds the copies of the other tensors. */
export function copyHints(tensor: Tensor, copy: Tensor, copyOf: (tensor: Tensor) => Tensor): void {
  const gradient = weightGradientOf(tensor);
  if (gradient) noteWeightGradient(copy, { ...gradient, x: copyOf(gradient.x), grad: copyOf(gradient.grad) });
  const kernel = unflippedKernelOf(tensor);
  if (kernel) noteFlippedKernel(copy, copyOf(kernel));
}

/** The interface of networks. */
import type { Tensor } from '../../engine/tensor';
import type { Layers } from './layers';

export interface NetOptions {
  readonly classes: number;
  /** Width of the 5-layer CNN's first convolution. */
  readonly numChannels: number;
  readonly dropoutRate: number;
  /** Units of each hidden layer of the perceptron; 1200 and 1200 by default. */
  readonly hiddenSizes?: readonly number[] | undefined;
  /** Side of the patches of a vision transformer; by default a question of the size of images (stem.ts). */
  readonly patchSize?: number | undefined;
  /** What the classifier of a vision transformer sees: the class token, or the mean of the patch tokens. */
  readonly pooling?: TokenPooling | undefined;
  /** Stride of the first convolution of networks for photographs and small images (stem.ts). */
  readonly stemStride?: number | undefined;
  /** Probability of leaving out the last residual branch, for those before it in proportion to their depth. */
  readonly dropPathRate?: number | undefined;
}

export const tokenPoolings = ['token', 'mean'] as const;
export type TokenPooling = (typeof tokenPoolings)[number];

export interface NetOutputs {
  /** (N, classes), before any softmax. */
  readonly logits: Tensor;
  /** (N, features): the vector that the classifier sees; of several classifiers, their vectors one behind the other. */
  readonly pooled: Tensor;
  /** Maps by name, from the input to the output. */
  readonly features: Readonly<Record<string, Tensor>>;
  /** (N, classes) each, by `logits_<what>`: those of the classifiers whose mean is `logits`, of a network with several. */
  readonly classifiers?: Readonly<Record<string, Tensor>>;
}

/** Builds a network on a normalized input (N, C, H, W). */
export type Net = (layers: Layers, x: Tensor, options: NetOptions) => NetOutputs;

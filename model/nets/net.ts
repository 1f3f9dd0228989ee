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
}

export interface NetOutputs {
  /** (N, classes), before any softmax. */
  readonly logits: Tensor;
  /** (N, features): the vector that the classifier sees. */
  readonly pooled: Tensor;
  /** Maps by name, from the input to the output. */
  readonly features: Readonly<Record<string, Tensor>>;
}

/** Builds a network on a normalized input (N, C, H, W). */
export type Net = (layers: Layers, x: Tensor, options: NetOptions) => NetOutputs;

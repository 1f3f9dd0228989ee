/** Layers with parameters, named and initialised as in PyTorch, in training or evaluation mode. */
import type { Graph } from '../engine/graph';
import { constant, fanIn, uniform, type Initializer } from '../engine/initializers';
import { batchNorm, batchNormEval, conv2d, linear, mul } from '../engine/ops';
import { raw } from '../engine/ops/elementwise';
import type { ConvOptions } from '../engine/ops/conv';
import type { Tensor } from '../engine/tensor';
import { ndarray } from '../utils/ndarray';

export interface LayersOptions {
  /** 'train' normalises by the batch and drops units; 'eval' does neither and changes nothing. */
  readonly mode: 'train' | 'eval';
  readonly seed: number;
  /** What the weights of convolutions start as; U(±1/√fan_in) where absent. */
  readonly convInit?: Initializer;
}

export interface ConvLayerOptions extends ConvOptions {
  /** Side of the kernel. */
  readonly kernel: number;
  readonly bias?: boolean;
  readonly init?: Initializer;
}

export interface LinearLayerOptions {
  readonly weight?: Initializer;
  readonly bias?: Initializer;
}

export class Layers {
  constructor(
    readonly graph: Graph,
    readonly options: LayersOptions,
  ) {}

  /** Conv2d: weights and biases U(±1/√fan_in), weights otherwise where `init` or `convInit` says so; no bias unless asked. */
  conv(
    name: string,
    x: Tensor,
    features: number,
    { kernel, bias = false, init, ...options }: ConvLayerOptions,
  ): Tensor {
    const { groups = 1 } = options;
    const shape = [features, x.shape[1]! / groups, kernel, kernel];
    const bound = 1 / Math.sqrt(fanIn(shape));
    const weight = this.parameter(`${name}.weight`, shape, init ?? this.options.convInit ?? uniform(bound));
    const offset = bias ? this.parameter(`${name}.bias`, [features], uniform(bound)) : undefined;
    return this.graph.scope(name, () => conv2d(x, weight, offset, options));
  }

  /** Linear: weights and biases U(±1/√fan_in) unless given otherwise. */
  linear(name: string, x: Tensor, features: number, init: LinearLayerOptions = {}): Tensor {
    const shape = [features, x.shape[1]!];
    const bound = 1 / Math.sqrt(fanIn(shape));
    const weight = this.parameter(`${name}.weight`, shape, init.weight ?? uniform(bound));
    const bias = this.parameter(`${name}.bias`, [features], init.bias ?? uniform(bound));
    return this.graph.scope(name, () => linear(x, weight, bias));
  }

  /** BatchNorm1d or 2d: weight 1, bias 0, momentum 0.1, eps 1e-5. */
  batchNorm(name: string, x: Tensor): Tensor {
    const shape = [x.shape[1]!];
    const weight = this.parameter(`${name}.weight`, shape, constant(1));
    const bias = this.parameter(`${name}.bias`, shape, constant(0));
    const buffer = (key: string, value: number) =>
      this.graph.buffer(`${name}.${key}`, 'float32', shape, () => constant(value)(key, shape, 0));
    const state = { weight, bias, runningMean: buffer('running_mean', 0), runningVar: buffer('running_var', 1) };
    const tracked = this.graph.buffer(`${name}.num_batches_tracked`, 'int64', [], () => ndarray('int64', []));
    return this.graph.scope(name, () => {
      if (this.options.mode === 'eval') return batchNormEval(x, state);
      this.graph.update(tracked, raw('Add', tracked, this.graph.constant(ndarray('int64', [], BigInt64Array.of(1n)))));
      return batchNorm(x, state);
    });
  }

  /** Dropout (Srivastava et al. 2014): zeroes with probability `rate` and scales the rest by 1 / (1 − rate). */
  dropout(name: string, x: Tensor, rate: number): Tensor {
    if (this.options.mode === 'eval' || rate === 0) return x;
    return mul(x, this.graph.mask(`${name}.mask`, x.shape, rate));
  }

  private parameter(name: string, shape: readonly number[], init: Initializer): Tensor {
    return this.graph.parameter(name, shape, () => init(name, shape, this.options.seed));
  }
}

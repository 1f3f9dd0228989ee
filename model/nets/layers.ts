/** Layers with parameters, named and initialized as in PyTorch, in training or evaluation mode. */
import type { Graph } from '../../engine/graph';
import { constant, fanIn, uniform, type Initializer } from '../../engine/initializers';
import type { ConvOptions } from '../../engine/ops/conv';
import { emitElementwise } from '../../engine/ops/elementwise';
import { batchNorm, batchNormEval, channelNorm, conv2d, layerNorm, linear, mul, reshape } from '../../engine/ops/index';
import type { BatchNormOptions, BatchNormState } from '../../engine/ops/normalization';
import { formatShape, type Tensor } from '../../engine/tensor';
import { ndarray, sizeOf, type DType, type NamedArrays, type NdArray } from '../../formats/ndarray';
import { UserError } from '../../utils/errors';
import { Random } from '../../utils/random';

export interface LayersOptions {
  /** 'train' normalizes by the batch and drops units; 'eval' does neither and changes nothing. */
  readonly mode: 'train' | 'eval';
  readonly seed: number;
  /** Initial weights of convolutions; U(±1/√fan_in) by default. */
  readonly convInit?: Initializer;
  /** Prefix of all names, such as `peer.`. */
  readonly prefix?: string;
  /** Values of parameters and buffers, by name, that become constants: for inference only. */
  readonly frozen?: NamedArrays;
  /** Makes what stands for a parameter, by its name without the prefix, in place of one that is trained. */
  readonly stands?: (name: string) => Tensor;
  /** BatchNorms, by the name of their weight, that normalize by their running statistics in training too. */
  readonly fixesNorm?: ((weight: string) => boolean) | undefined;
  /** Receives the output of each layer, by its name without the prefix. */
  readonly made?: Map<string, Tensor>;
  /** Outputs of layers of another network, which replace the layers with these names. */
  readonly shared?: ReadonlyMap<string, Tensor>;
  /** Names an additional pass through existing layers; all passes share parameters and buffers. */
  readonly pass?: string;
}

export interface ConvLayerOptions extends ConvOptions {
  /** Side of the kernel. */
  readonly kernel: number;
  /** Whether there is a bias; an initializer replaces U(±1/√fan_in). */
  readonly bias?: boolean | Initializer;
  readonly init?: Initializer;
}

export interface LinearLayerOptions {
  readonly weight?: Initializer;
  readonly bias?: Initializer;
  /** Whether the weight is stored as that of a 1×1 convolution, (out, in, 1, 1). */
  readonly isConvolution?: boolean;
}

export class Layers {
  constructor(
    readonly graph: Graph,
    readonly options: LayersOptions,
  ) {}

  /** Conv2d: weights and biases U(±1/√fan_in), other weights with `init` or `convInit`; no bias by default. */
  conv(
    name: string,
    x: Tensor,
    features: number,
    { kernel, bias = false, init, ...options }: ConvLayerOptions,
  ): Tensor {
    return this.layer(name, () => {
      const { groups = 1 } = options;
      const shape = [features, x.shape[1]! / groups, kernel, kernel];
      const bound = 1 / Math.sqrt(fanIn(shape));
      const weight = this.parameter(`${name}.weight`, shape, init ?? this.options.convInit ?? uniform(bound));
      const biasInit = typeof bias === 'function' ? bias : uniform(bound);
      const offset = bias ? this.parameter(`${name}.bias`, [features], biasInit) : undefined;
      return conv2d(x, weight, offset, options);
    });
  }

  /** Linear, of vectors (N, in) or tokens (N, L, in): weights and biases U(±1/√fan_in) unless given otherwise. */
  linear(name: string, x: Tensor, features: number, init: LinearLayerOptions = {}): Tensor {
    return this.layer(name, () => {
      const shape = [features, x.shape.at(-1)!];
      const bound = 1 / Math.sqrt(fanIn(shape));
      const stored = init.isConvolution ? [...shape, 1, 1] : shape;
      const weight = this.parameter(`${name}.weight`, stored, init.weight ?? uniform(bound));
      const bias = this.parameter(`${name}.bias`, [features], init.bias ?? uniform(bound));
      return linear(x, init.isConvolution ? reshape(weight, shape) : weight, bias);
    });
  }

  /**
   * BatchNorm1d or 2d: weight 1, bias 0, momentum 0.1, eps 1e-5. Throws a UserError for training on one value per
   * channel.
   */
  batchNorm(name: string, x: Tensor): Tensor {
    return this.layer(name, () => this.newBatchNorm(name, x));
  }

  /** LayerNorm over the last axis, or over the channels of a map (N, C, H, W) at each place: weight 1, bias 0. */
  layerNorm(name: string, x: Tensor, eps: number): Tensor {
    return this.layer(name, () => {
      const shape = [x.shape.length === 4 ? x.shape[1]! : x.shape.at(-1)!];
      const weight = this.parameter(`${name}.weight`, shape, constant(1));
      const bias = this.parameter(`${name}.bias`, shape, constant(0));
      return x.shape.length === 4
        ? channelNorm(x, { weight, bias, eps })
        : layerNorm(x, x.shape.length - 1, { weight, bias, eps });
    });
  }

  /** Dropout (Srivastava et al. 2014): zeroes with probability `rate` and scales the rest by 1 / (1 − rate). */
  dropout(name: string, x: Tensor, rate: number): Tensor {
    return this.masked(name, x, x.shape, rate);
  }

  /** Stochastic depth (Huang et al. 2016): dropout of the whole branch x, for each image by itself. */
  dropPath(name: string, x: Tensor, rate: number): Tensor {
    return this.masked(
      name,
      x,
      x.shape.map((length, axis) => (axis === 0 ? length : 1)),
      rate,
    );
  }

  /** Dropout of values together where the mask has length 1. */
  private masked(name: string, x: Tensor, shape: readonly number[], rate: number): Tensor {
    if (this.options.mode === 'eval' || rate === 0) return x;
    const { prefix = '', pass, shared } = this.options;
    const known = shared?.get(`${name}.mask`);
    if (known) return known;
    const full = `${prefix}${name}.mask${pass ? `@${pass}` : ''}`;
    const mask = this.graph.hostInput(full, 'float32', shape, ({ seed, step }) => {
      const data = new Float32Array(sizeOf(shape));
      new Random(seed, full).fillUniform(data, 0, 1, step);
      for (let i = 0; i < data.length; i++) data[i] = data[i]! < rate ? 0 : 1 / (1 - rate);
      return ndarray('float32', shape, data);
    });
    const y = mul(x, mask);
    this.options.made?.set(`${name}.mask`, y);
    return y;
  }

  /** A custom trained tensor. */
  parameter(name: string, shape: readonly number[], init: Initializer): Tensor {
    if (this.options.stands) return this.options.stands(name);
    const full = this.fullName(name);
    return this.known(full, shape) ?? this.graph.parameter(full, shape, () => init(full, shape, this.options.seed));
  }

  /** State that no optimizer touches. */
  buffer(name: string, dtype: DType, shape: readonly number[], initial: () => NdArray): Tensor {
    const full = this.fullName(name);
    return this.known(full, shape) ?? this.graph.buffer(full, dtype, shape, initial);
  }

  private newBatchNorm(name: string, x: Tensor): Tensor {
    const shape = [x.shape[1]!];
    const weight = this.parameter(`${name}.weight`, shape, constant(1));
    const bias = this.parameter(`${name}.bias`, shape, constant(0));
    const buffer = (key: string, value: number) =>
      this.buffer(`${name}.${key}`, 'float32', shape, () => constant(value)(key, shape, 0));
    return this.normalized(name, x, {
      weight,
      bias,
      runningMean: buffer('running_mean', 0),
      runningVar: buffer('running_var', 1),
      tracked: this.tracked(name),
    });
  }

  /** How many batches a BatchNorm has seen. */
  tracked(name: string): Tensor {
    return this.buffer(`${name}.num_batches_tracked`, 'int64', [], () => ndarray('int64', []));
  }

  /** BatchNorm with the given states, in the mode of these layers. */
  normalized(
    name: string,
    x: Tensor,
    { tracked, ...state }: BatchNormState & { readonly tracked?: Tensor | undefined },
    options?: BatchNormOptions,
  ): Tensor {
    const { mode, fixesNorm } = this.options;
    if (mode === 'eval' || fixesNorm?.(state.weight.name)) return batchNormEval(x, state, options);
    if (sizeOf(x.shape) === x.shape[1]) throw new UserError(oneValue(this.fullName(name)));
    const one = this.graph.constant(ndarray('int64', [], BigInt64Array.of(1n)));
    if (tracked) this.graph.update(tracked, emitElementwise('Add', this.graph.current(tracked), one));
    return batchNorm(x, state, options);
  }

  /** The output of a layer, computed in a scope with its name. */
  private layer(name: string, build: () => Tensor): Tensor {
    const { shared, made } = this.options;
    const y = shared?.get(name) ?? this.graph.scope(this.fullName(name), build);
    made?.set(name, y);
    return y;
  }

  private fullName(name: string): string {
    return `${this.options.prefix ?? ''}${name}`;
  }

  /** The existing tensor for a state: a constant, or the state of an earlier pass. */
  private known(name: string, shape: readonly number[]): Tensor | undefined {
    const { frozen, pass } = this.options;
    if (!frozen) return pass === undefined ? undefined : this.graph.states.get(name)?.tensor;
    const array = frozen.get(name);
    if (!array) throw new Error(`layers: no weights for ${name} ${formatShape(shape)}`);
    return this.graph.constant(array);
  }
}

/** A single value equals its mean, so it is normalized to 0 for any image. */
function oneValue(name: string): string {
  return (
    `"batch_size": the BatchNorm "${name}" needs more than one value per channel when training, got a batch of 1 image; ` +
    'increase it; if only the last batch of an epoch has 1 image, change it or "subset_percent"'
  );
}

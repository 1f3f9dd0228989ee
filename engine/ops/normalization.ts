/** Batch normalization (Ioffe & Szegedy 2015), with PyTorch's conventions, and norms of each image by itself. */
import { ndarray, sizeOf } from '../../formats/ndarray';
import { formatShape, type Tensor } from '../tensor';
import { abs, add, div, emitElementwise, maximum, mul, sqrt, square } from './elementwise';
import { channelMean, channelMeanSquare, channelSum, mean, norm2, sum } from './reduce';
import { reshape } from './shape';
import { emitReduction } from './sums';

/** Parameters and running statistics of a BatchNorm layer, (C) each. */
export interface BatchNormState {
  /** γ */
  readonly weight: Tensor;
  /** β */
  readonly bias: Tensor;
  /** Buffers, which training updates. */
  readonly runningMean: Tensor;
  readonly runningVar: Tensor;
}

/** Options of `batchNorm`, named and set by default as in PyTorch. */
export interface BatchNormOptions {
  /** Added to the variance; 1e-5 by default. */
  readonly eps?: number;
  /** Share of the batch's statistics in the new running ones; 0.1 by default. */
  readonly momentum?: number;
}

/**
 * BatchNorm in training: normalizes x (N, C, …) by the batch's mean and biased variance, and updates the running mean and
 * variance (the unbiased one). Throws if x does not have the channels of the state.
 *   x̂ = (x − μ) / √(σ² + ε),   y = γ x̂ + β
 *   ∂x = γ/√(σ² + ε) · (g − mean(g) − x̂ · mean(g x̂)),   ∂γ = Σ g x̂,   ∂β = Σ g
 * The deviations x − μ are formed before they are squared, so that a large common offset does not cancel.
 */
export function batchNorm(x: Tensor, state: BatchNormState, options: BatchNormOptions = {}): Tensor {
  const { graph } = x;
  const { eps = 1e-5, momentum = 0.1 } = options;
  const [, channels = 0] = x.shape;
  if (x.shape.length < 2 || state.weight.shape[0] !== channels) {
    throw new Error(`batchNorm: input must be (N, ${state.weight.shape[0]}, …), got ${formatShape(x.shape)}`);
  }
  const count = x.shape.reduce((product, length) => product * length, 1) / channels;

  const batchMean = channelMean(x);
  const deviations = affine(x, ones(x), graph.emit('Neg', [batchMean], [channels]));
  const variance = channelMeanSquare(deviations);
  const deviation = graph.emit('Sqrt', [emitElementwise('Add', variance, graph.scalar(eps))], [channels]);
  const inverse = graph.emit('Reciprocal', [deviation], [channels]);
  const scale = emitElementwise('Mul', state.weight, inverse);
  const y = affine(deviations, scale, state.bias);

  const blend = (old: Tensor, fresh: Tensor) =>
    emitElementwise(
      'Add',
      emitElementwise('Mul', graph.current(old), graph.scalar(1 - momentum)),
      emitElementwise('Mul', fresh, graph.scalar(momentum)),
    );
  const unbiased = emitElementwise('Mul', variance, graph.scalar(count / Math.max(1, count - 1)));
  graph.update(state.runningMean, blend(state.runningMean, batchMean));
  graph.update(state.runningVar, blend(state.runningVar, unbiased));

  return graph.vjp(y, [x, state.weight, state.bias], (grad, needs) => {
    const gradSum = channelSum(grad);
    const correlation = emitElementwise('Mul', channelSum(emitElementwise('Mul', grad, deviations)), inverse);
    const perExample = graph.scalar(-1 / count);
    const slope = emitElementwise(
      'Mul',
      emitElementwise('Mul', emitElementwise('Mul', correlation, inverse), scale),
      perExample,
    );
    const offset = emitElementwise('Mul', emitElementwise('Mul', gradSum, scale), perExample);
    return [
      needs[0] ? emitElementwise('Add', affine(grad, scale, offset), affine(deviations, slope, zeros(x))) : undefined,
      correlation,
      gradSum,
    ];
  });
}

/** BatchNorm in evaluation: normalizes x (N, C, …) by the running statistics, which stay as they are. */
export function batchNormEval(x: Tensor, state: BatchNormState, { eps = 1e-5 }: BatchNormOptions = {}): Tensor {
  const { graph } = x;
  const { weight, bias, runningMean, runningVar } = state;
  const y = graph.emit('BatchNormalization', [x, weight, bias, runningMean, runningVar], x.shape, {
    attributes: { epsilon: { float: eps } },
  });
  return graph.vjp(y, [x, weight, bias], (grad, needs) => {
    const deviation = graph.emit('Sqrt', [emitElementwise('Add', runningVar, graph.scalar(eps))], runningVar.shape);
    const centered = emitElementwise('Sub', x, column(runningMean, x));
    return [
      needs[0] ? emitElementwise('Mul', grad, column(emitElementwise('Div', weight, deviation), x)) : undefined,
      needs[1] ? emitElementwise('Div', channelSum(emitElementwise('Mul', grad, centered)), deviation) : undefined,
      channelSum(grad),
    ];
  });
}

/** Options of the norms of each image. */
export interface AffineOptions {
  /** Scale and offset of each element that is normalized together, or of each channel. */
  readonly weight?: Tensor | undefined;
  readonly bias?: Tensor | undefined;
  readonly eps?: number;
}

/**
 * Layer normalization (Ba et al. 2016) over the axes from `axis` on: y = γ x̂ + β for γ and β of the shape of these axes.
 * Deviations are formed before they are squared, as in `batchNorm`.
 */
export function layerNorm(x: Tensor, axis: number, { weight, bias, eps = 1e-5 }: AffineOptions = {}): Tensor {
  const axes = x.shape.map((_, i) => i).slice(axis);
  if (axes.length === 0) throw new Error(`layerNorm: axis must be below ${x.shape.length}, got ${axis}`);
  return scaled(standardized(x, axes, eps), weight, bias);
}

/** Layer normalization of a map (N, C, H, W) over the channels of each place; γ and β (C). */
export function channelNorm(x: Tensor, { weight, bias, eps = 1e-5 }: AffineOptions = {}): Tensor {
  const perChannel = (values: Tensor | undefined) => values && reshape(values, [x.shape[1]!, 1, 1]);
  return scaled(standardized(x, [1], eps), perChannel(weight), perChannel(bias));
}

/** Group normalization (Wu & He 2018) of (N, C, …): every image's channels in groups; γ and β (C). */
export function groupNorm(x: Tensor, groups: number, { weight, bias, eps = 1e-5 }: AffineOptions = {}): Tensor {
  const [batch = 0, channels = 0] = x.shape;
  if (channels % groups !== 0) {
    throw new Error(`groupNorm: ${groups} groups do not divide the ${channels} channels of ${formatShape(x.shape)}`);
  }
  const grouped = reshape(x, [batch, groups, sizeOf(x.shape) / (batch * groups)]);
  const normalized = reshape(standardized(grouped, [2], eps), x.shape);
  const perChannel = (values: Tensor | undefined) =>
    values && reshape(values, [channels, ...x.shape.slice(2).map(() => 1)]);
  return scaled(normalized, perChannel(weight), perChannel(bias));
}

/** Root mean square normalization (Zhang & Sennrich 2019): γ x / √(mean(x²) + ε) over the axes from `axis` on. */
export function rmsNorm(x: Tensor, axis: number, { weight, eps = 1e-5 }: Omit<AffineOptions, 'bias'> = {}): Tensor {
  const axes = x.shape.map((_, i) => i).slice(axis);
  return scaled(div(x, sqrt(add(mean(square(x), { axes, keepDims: true }), eps))), weight, undefined);
}

/** x / max(‖x‖, ε) along an axis, the norm being Σ|x| or √Σx². */
export function lpNorm(x: Tensor, axis: number, p: 1 | 2 = 2, eps = 1e-12): Tensor {
  const options = { axes: [axis], keepDims: true };
  return div(x, maximum(p === 1 ? sum(abs(x), options) : norm2(x, options), eps));
}

/** x̂ = (x − μ) / √(σ² + ε) over these axes;  ∂x = (g − mean(g) − x̂ mean(g x̂)) / √(σ² + ε) */
function standardized(x: Tensor, axes: readonly number[], eps: number): Tensor {
  const { graph } = x;
  const kept = x.shape.map((length, axis) => (axes.includes(axis) ? 1 : length));
  const count = axes.reduce((product, axis) => product * x.shape[axis]!, 1);
  const over = (opType: string, tensor: Tensor) => emitReduction(opType, tensor, axes, true);
  const deviations = emitElementwise('Sub', x, over('ReduceMean', x));
  const variance = emitElementwise('Mul', over('ReduceSumSquare', deviations), graph.scalar(1 / count));
  const deviation = graph.emit('Sqrt', [emitElementwise('Add', variance, graph.scalar(eps))], kept);
  const inverse = graph.emit('Reciprocal', [deviation], kept);
  const y = emitElementwise('Mul', deviations, inverse);
  return graph.vjp(y, [x], (grad) => {
    const correlation = over('ReduceMean', emitElementwise('Mul', grad, y));
    const centered = emitElementwise('Sub', grad, over('ReduceMean', grad));
    const residue = emitElementwise('Sub', centered, emitElementwise('Mul', y, correlation));
    return [emitElementwise('Mul', residue, inverse)];
  });
}

function scaled(x: Tensor, weight: Tensor | undefined, bias: Tensor | undefined): Tensor {
  const product = weight ? mul(x, weight) : x;
  return bias ? add(product, bias) : product;
}

/** x · slope + offset per channel, in one pass: the inference operator with mean 0 and variance 1. */
function affine(x: Tensor, slope: Tensor, offset: Tensor): Tensor {
  return x.graph.emit('BatchNormalization', [x, slope, offset, zeros(x), ones(x)], x.shape, {
    attributes: { epsilon: { float: 0 } },
  });
}

/** 0 for each channel of x. */
function zeros(x: Tensor): Tensor {
  return perChannel(x, 0);
}

/** 1 for each channel of x. */
function ones(x: Tensor): Tensor {
  return perChannel(x, 1);
}

function perChannel(x: Tensor, value: number): Tensor {
  const [, channels = 0] = x.shape;
  return x.graph.constant(ndarray('float32', [channels], new Float32Array(channels).fill(value)));
}

/** (C) → (1, C, 1, …), to broadcast against x. */
function column(values: Tensor, x: Tensor): Tensor {
  const shape = x.shape.map((_, axis) => (axis === 1 ? values.shape[0]! : 1));
  return x.graph.emit('Reshape', [values, x.graph.integers(shape)], shape);
}

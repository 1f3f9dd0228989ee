/** Batch normalization (Ioffe & Szegedy 2015), with PyTorch's conventions. */
import { ndarray } from '../../formats/ndarray';
import { formatShape, type Tensor } from '../tensor';
import { emitElementwise } from './elementwise';
import { channelMean, channelMeanSquare, channelSum } from './reduce';

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

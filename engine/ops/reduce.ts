/** Reductions over axes; without axes, over all of them, to a scalar. Axes count from 0; others throw. */
import type { Tensor } from '../tensor';
import { emitElementwise, neg } from './elementwise';
import { emitReduction, MANY } from './sums';

/** The smallest normal float32. */
const TINY = 2 ** -126;

/** What is reduced, and whether the axes stay. */
export interface ReduceOptions {
  /** Axes to reduce, counted from 0; all of them by default. */
  readonly axes?: readonly number[];
  /** Keeps reduced axes, with length 1; they are dropped by default. */
  readonly keepDims?: boolean;
}

/** Σ x over the axes;  ∂ = 1. With axes [1]: (N, C) → (N), or (N, 1) with keepDims. */
export function sum(x: Tensor, options: ReduceOptions = {}): Tensor {
  const { graph } = x;
  return graph.vjp(reduce('ReduceSum', x, options), [x], (grad) => [expand(grad, x, options)]);
}

/** Σ x / n over the axes, of n elements;  ∂ = 1 / n. With axes [2, 3]: (N, C, H, W) → (N, C), or (N, C, 1, 1) with keepDims. */
export function mean(x: Tensor, options: ReduceOptions = {}): Tensor {
  const { graph } = x;
  const count = axesOf(x, options).reduce((product, axis) => product * x.shape[axis]!, 1);
  return graph.vjp(reduce('ReduceMean', x, options), [x], (grad) => [
    expand(emitElementwise('Mul', grad, graph.scalar(1 / count)), x, options),
  ]);
}

/** Σ x² over the axes, in one pass over x;  ∂ = 2x. With axes [1]: (N, C) → (N), or (N, 1) with keepDims. */
export function sumSquare(x: Tensor, options: ReduceOptions = {}): Tensor {
  const { graph } = x;
  return graph.vjp(reduce('ReduceSumSquare', x, options), [x], (grad) => {
    const twice = emitElementwise('Mul', grad, graph.scalar(2));
    return [emitElementwise('Mul', column(twice, x, options), x)];
  });
}

/** max x over the axes; tied maxima share the gradient evenly, as in PyTorch's amax. With axes [1]: (N, C) → (N), or (N, 1) with keepDims. */
export function max(x: Tensor, options: ReduceOptions = {}): Tensor {
  const { graph } = x;
  const y = reduce('ReduceMax', x, options);
  return graph.vjp(y, [x], (grad) => {
    const equal = graph.emit('Equal', [x, expand(y, x, options)], x.shape, { dtype: 'bool' });
    const chosen = graph.emit('Cast', [equal], x.shape, { dtype: 'float32', attributes: { to: 1 } });
    const ties = reduce('ReduceSum', chosen, { ...options, keepDims: true });
    return [emitElementwise('Mul', emitElementwise('Div', chosen, ties), expand(grad, x, options))];
  });
}

/** min x; a tie shares its gradient evenly, as PyTorch's amin. */
export function min(x: Tensor, options: ReduceOptions = {}): Tensor {
  return neg(max(neg(x), options));
}

/** ln Σ eˣ, without overflow;  ∂ = eˣ⁻ʸ */
export function logSumExp(x: Tensor, options: ReduceOptions = {}): Tensor {
  const { graph } = x;
  const y = reduce('ReduceLogSumExp', x, options);
  return graph.vjp(y, [x], (grad) => {
    const share = graph.emit('Exp', [emitElementwise('Sub', x, column(y, x, options))], x.shape);
    return [emitElementwise('Mul', share, column(grad, x, options))];
  });
}

/** √Σ x²;  ∂ = x / y, and 0 where y is 0, as PyTorch's norm */
export function norm2(x: Tensor, options: ReduceOptions = {}): Tensor {
  const { graph } = x;
  const squares = reduce('ReduceSumSquare', x, options);
  const y = graph.emit('Sqrt', [squares], squares.shape);
  return graph.vjp(y, [x], (grad) => {
    const length = emitElementwise('Max', column(y, x, options), graph.scalar(TINY));
    return [emitElementwise('Mul', emitElementwise('Div', x, length), column(grad, x, options))];
  });
}

/** The sum of each channel, (N, C, …) → (C), without an entry on the tape. */
export function channelSum(x: Tensor): Tensor {
  return overChannels('ReduceSum', x);
}

/** The mean of each channel, (N, C, …) → (C), without an entry on the tape. */
export function channelMean(x: Tensor): Tensor {
  return overChannels('ReduceMean', x);
}

/** The mean square of each channel, (N, C, …) → (C), without an entry on the tape. */
export function channelMeanSquare(x: Tensor): Tensor {
  const count = x.shape.reduce((product, length, axis) => (axis === 1 ? product : product * length), 1);
  return emitElementwise('Mul', overChannels('ReduceSumSquare', x), x.graph.scalar(1 / count));
}

function overChannels(opType: string, x: Tensor): Tensor {
  const { graph } = x;
  const [batch = 1, channels = 1, ...space] = x.shape;
  const plane = space.reduce((product, length) => product * length, 1);
  const flat =
    space.length === 1 ? x : graph.emit('Reshape', [x, graph.integers([0, 0, -1])], [batch, channels, plane]);
  if (batch * plane <= MANY) {
    return graph.emit(opType, [flat, graph.integers([0, 2])], [channels], { attributes: { keepdims: 0 } });
  }
  // Over maps, which blocked layout can if it is one node, then over images.
  const ofMaps =
    plane > MANY
      ? emitReduction(opType, flat, [2], false)
      : graph.emit(opType, [flat, graph.integers([2])], [batch, channels], { attributes: { keepdims: 0 } });
  return emitReduction(opType === 'ReduceSumSquare' ? 'ReduceSum' : opType, ofMaps, [0], false);
}

function axesOf(x: Tensor, { axes }: ReduceOptions): readonly number[] {
  const wrong = axes?.find((axis) => !Number.isInteger(axis) || axis < 0 || axis >= x.shape.length);
  if (wrong !== undefined) throw new Error(`reduce: axes must be from 0 to ${x.shape.length - 1}, got ${wrong}`);
  return axes ?? x.shape.map((_, axis) => axis);
}

function reduce(opType: string, x: Tensor, options: ReduceOptions): Tensor {
  return emitReduction(opType, x, axesOf(x, options), options.keepDims ?? false);
}

/** Repeats a reduced tensor along the axes that were reduced. */
function expand(reduced: Tensor, x: Tensor, options: ReduceOptions): Tensor {
  return x.graph.emit('Expand', [column(reduced, x, options), x.graph.integers(x.shape)], x.shape);
}

/** A reduced tensor with length 1 along the axes that were reduced. */
function column(reduced: Tensor, x: Tensor, options: ReduceOptions): Tensor {
  const axes = axesOf(x, options);
  const kept = x.shape.map((length, axis) => (axes.includes(axis) ? 1 : length));
  return x.graph.emit('Reshape', [reduced, x.graph.integers(kept)], kept);
}

/**
 * Pooling. A window is a range of rows and, in each row, a range of columns, so a gradient is made by one rule along one
 * axis that is used twice: the k shares of every window are cut out or weighed as whole tensors, and added up at the
 * places that they came from.
 */
import { ndarray, type NdArray } from '../../formats/ndarray';
import { formatShape, type Tensor } from '../tensor';
import type { Pair } from './conv_hints';
import { emitElementwise } from './elementwise';
import { emitMatmul } from './matmul';
import { mean } from './reduce';
import { emitConcat, emitPad, emitReshape, emitSlice, emitTranspose } from './shape';

/** The windows of a pooling layer, in pixels; one number stands for rows and columns. */
export interface PoolOptions {
  /** Sides of a window. */
  readonly kernel: number | Pair;
  /** Distance between windows; `kernel` by default. */
  readonly stride?: number | Pair;
  /** Pixels on each side, at most half a window; 0 by default. */
  readonly padding?: number | Pair;
}

interface Windows {
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly padding: Pair;
}

/** The windows along one axis. */
interface Row {
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
}

/**
 * Maximum over windows: (N, C, H, W) → (N, C, H', W') with H' = ⌊(H + 2 p − k) / s⌋ + 1, W' likewise. Of tied maxima the first in
 * row-major order gets the gradient, as in PyTorch. Throws if the window does not fit.
 */
export function maxPool(x: Tensor, options: PoolOptions): Tensor {
  const windows = windowsOf(options);
  const y = pool('MaxPool', x, windows);
  return x.graph.vjp(y, [x], (grad) => {
    // The first maximum in row-major order is the first in the first of those rows whose maximum is the window's.
    const ofRows = x.graph.emit('MaxPool', [x], [...x.shape.slice(0, 3), y.shape[3]!], {
      attributes: attributesOf({
        kernel: [1, windows.kernel[1]],
        stride: [1, windows.stride[1]],
        padding: [0, windows.padding[1]],
      }),
    });
    const rows = toFirstMaximum(ofRows, y, grad, 2, alongAxis(windows, 2));
    return [toFirstMaximum(x, ofRows, rows, 3, alongAxis(windows, 3))];
  });
}

/**
 * Mean over windows: (N, C, H, W) → (N, C, H', W') with H' = ⌊(H + 2 p − k) / s⌋ + 1, W' likewise. Padding counts as zeros, as in
 * PyTorch. Throws if the window does not fit.
 */
export function avgPool(x: Tensor, kernel: number | Pair, options: Omit<PoolOptions, 'kernel'> = {}): Tensor {
  const windows = windowsOf({ ...options, kernel });
  const y = pool('AveragePool', x, windows);
  return x.graph.vjp(y, [x], (grad) => {
    const share = emitElementwise('Mul', grad, x.graph.scalar(1 / (windows.kernel[0] * windows.kernel[1])));
    const spread = (part: Tensor, axis: 2 | 3) => {
      const row = alongAxis(windows, axis);
      return gathered(new Array<Tensor>(row.kernel).fill(part), axis, x.shape[axis]!, row);
    };
    return [spread(spread(share, 2), 3)];
  });
}

/**
 * Mean over size × size bins, as PyTorch's AdaptiveAvgPool2d: (N, C, H, W) → (N, C, size, size). Bin i covers
 * ⌊i L / size⌋ … ⌈(i + 1) L / size⌉ − 1 of a length L; bins overlap if size does not divide L.
 */
export function adaptiveAvgPool(x: Tensor, size: number): Tensor {
  const { graph } = x;
  const [batch = 0, channels = 0, height = 0, width = 0] = x.shape;
  if (height === width && height % size === 0) return avgPool(x, height / size);
  const [rows, columns] = [height, width].map((length) => graph.constant(binMeans(length, size))) as [Tensor, Tensor];
  // Two products with matrices of weights: rows · x · columnsᵀ, and back with both transposed.
  const wide = graph.emit('MatMul', [rows, x], [batch, channels, size, width]);
  return graph.vjp(emitMatmul(wide, emitTranspose(columns, [1, 0])), [x], (grad) => {
    const tall = graph.emit('MatMul', [emitTranspose(rows, [1, 0]), grad], [batch, channels, height, size]);
    return [emitMatmul(tall, columns)];
  });
}

/** Mean over each map: (N, C, H, W) → (N, C). */
export function globalAvgPool(x: Tensor): Tensor {
  return mean(x, { axes: [2, 3] });
}

function windowsOf({ kernel, stride = kernel, padding = 0 }: PoolOptions): Windows {
  const pair = (value: number | Pair): Pair => (typeof value === 'number' ? [value, value] : value);
  return { kernel: pair(kernel), stride: pair(stride), padding: pair(padding) };
}

function alongAxis({ kernel, stride, padding }: Windows, axis: 2 | 3): Row {
  const i = axis === 2 ? 0 : 1;
  return { kernel: kernel[i], stride: stride[i], padding: padding[i] };
}

function attributesOf({ kernel, stride, padding }: Windows) {
  return { kernel_shape: kernel, strides: stride, pads: [...padding, ...padding] };
}

function pool(opType: 'MaxPool' | 'AveragePool', x: Tensor, windows: Windows): Tensor {
  const { kernel, stride, padding } = windows;
  const out = (i: 0 | 1) => Math.floor((x.shape[2 + i]! + 2 * padding[i] - kernel[i]) / stride[i]) + 1;
  const [batch = 0, channels = 0] = x.shape;
  const shape = [batch, channels, out(0), out(1)];
  const isWide = [0, 1].some((i) => 2 * padding[i]! > kernel[i]!);
  if (x.shape.length !== 4 || !(shape[2]! >= 1 && shape[3]! >= 1) || isWide) {
    const name = opType === 'MaxPool' ? 'maxPool' : 'avgPool';
    const padded = padding[0] === padding[1] ? padding[0] : padding.join('x');
    throw new Error(
      `${name}: a ${kernel.join('x')} window with padding ${padded} does not fit ${formatShape(x.shape)}`,
    );
  }
  const attributes = attributesOf(windows);
  // Padding counts in a mean.
  const options = opType === 'MaxPool' ? attributes : { ...attributes, count_include_pad: 1 };
  return x.graph.emit(opType, [x], shape, { attributes: options });
}

/**
 * Along one axis: y = max over windows of x; hands each window's gradient g to its first maximum. With a window's
 * elements (a, b, c, …) in order, the k-th's share is g · [eₖ = y] · Πⱼ₍ₖ₎ [eⱼ < y]; the last has what is left of g.
 */
function toFirstMaximum(x: Tensor, y: Tensor, grad: Tensor, axis: 2 | 3, windows: Row): Tensor {
  const { graph } = x;
  let open: Tensor | undefined;
  let rest = grad;
  const shares = Array.from({ length: windows.kernel - 1 }, (_, tap) => {
    const { residue, by } = placeOf(tap, windows);
    const own = windows.stride > 1 ? emitSlice(x, axis, residue, x.shape[axis]!, windows.stride) : x;
    const element = shifted(own, axis, -by, y.shape[axis]!, graph.scalar(-Infinity));
    const isMaximum = graph.emit('Equal', [element, y], y.shape, { dtype: 'bool' });
    const isFirst: Tensor = open ? graph.emit('And', [isMaximum, open], y.shape) : isMaximum;
    const isLess = graph.emit('Not', [isMaximum], y.shape);
    open = open ? graph.emit('And', [open, isLess], y.shape) : isLess;
    const chosen = graph.emit('Cast', [isFirst], y.shape, { dtype: 'float32', attributes: { to: 1 } });
    const share = emitElementwise('Mul', chosen, grad);
    rest = emitElementwise('Sub', rest, share);
    return share;
  });
  return gathered([...shares, rest], axis, x.shape[axis]!, windows);
}

/**
 * Along one axis of `length`: the sum, at every place, of the shares of the windows that cover it; shares[t] holds every
 * window's share for its element t. The places of one residue modulo the stride are summed by shifted additions, then
 * the residues are interleaved.
 */
function gathered(shares: readonly Tensor[], axis: 2 | 3, length: number, windows: Row): Tensor {
  const { stride } = windows;
  const { graph, shape } = shares[0]!;
  const count = Math.ceil(length / stride);
  const withLength = (...lengths: number[]) => [...shape.slice(0, axis), ...lengths, ...shape.slice(axis + 1)];
  const sums = Array.from({ length: stride }, (_, residue) => {
    const own = shares.flatMap((share, tap) => {
      const place = placeOf(tap, windows);
      return place.residue === residue ? [shifted(share, axis, place.by, count)] : [];
    });
    const zeros = () => graph.emit('Expand', [graph.scalar(0), graph.integers(withLength(count))], withLength(count));
    return own.length > 0 ? own.reduce((sum, share) => emitElementwise('Add', sum, share)) : zeros();
  });
  if (stride === 1) return sums[0]!;
  const columns = sums.map((sum) => emitReshape(sum, withLength(count, 1)));
  const places = emitReshape(emitConcat(columns, axis + 1), withLength(count * stride));
  return count * stride > length ? emitSlice(places, axis, 0, length) : places;
}

/** Element `tap` of window i lies at the place i · stride + tap − padding = (i + by) · stride + residue. */
function placeOf(tap: number, { stride, padding }: Row): { residue: number; by: number } {
  const by = Math.floor((tap - padding) / stride);
  return { residue: tap - padding - by * stride, by };
}

/** Moves along an axis: element i of the result, of `count`, is x[i − by], or `value` (zero by default) outside of x. */
function shifted(x: Tensor, axis: number, by: number, count: number, value?: Tensor): Tensor {
  const length = x.shape[axis]!;
  const start = Math.min(length, Math.max(0, -by));
  const stop = Math.max(start, Math.min(length, count - by));
  const kept = start > 0 || stop < length ? emitSlice(x, axis, start, stop) : x;
  const before = Math.min(count, Math.max(0, by));
  const after = count - before - (stop - start);
  return before > 0 || after > 0 ? emitPad(kept, axis, before, after, value) : kept;
}

/** (size, length): row i has 1 / n at the n places of bin i. */
function binMeans(length: number, size: number): NdArray {
  const weights = new Float32Array(size * length);
  for (let bin = 0; bin < size; bin++) {
    const [start, end] = [Math.floor((bin * length) / size), Math.ceil(((bin + 1) * length) / size)];
    weights.fill(1 / (end - start), bin * length + start, bin * length + end);
  }
  return ndarray('float32', [size, length], weights);
}

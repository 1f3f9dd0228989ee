/**
 * Pooling. A window is a range of rows and, in each row, a range of columns, so a gradient is made by one rule along one
 * axis that is used twice: the k shares of every window are cut out or weighed as whole tensors, and added up at the
 * places that they came from.
 */
import { formatShape, type Tensor } from '../tensor';
import { raw } from './elementwise';
import { mean } from './reduce';
import { rawConcat, rawPad, rawReshape, rawSlice } from './shape';

export interface PoolOptions {
  /** Rows and columns of a window. */
  readonly kernel: number;
  /** Distance of windows; the kernel's size by default. */
  readonly stride?: number;
  readonly padding?: number;
}

type Windows = Required<PoolOptions>;

/** Maximum over windows of (N, C, H, W); a tie's gradient goes to the first element in row-major order, as in PyTorch. */
export function maxPool(x: Tensor, { kernel, stride = kernel, padding = 0 }: PoolOptions): Tensor {
  const windows = { kernel, stride, padding };
  const y = pool('MaxPool', x, windows);
  return x.graph.derive(y, [x], (grad) => {
    // The first maximum in row-major order is the first in the first of those rows whose maximum is the window's.
    const ofRows = x.graph.emit('MaxPool', [x], [...x.shape.slice(0, 3), y.shape[3]!], {
      attributes: { kernel_shape: [1, kernel], strides: [1, stride], pads: [0, padding, 0, padding] },
    });
    return [toFirstMaximum(x, ofRows, toFirstMaximum(ofRows, y, grad, 2, windows), 3, windows)];
  });
}

/** Mean over windows of (N, C, H, W), where the zeros of the padding count as elements, as in PyTorch. */
export function avgPool(
  x: Tensor,
  kernel: number,
  { stride = kernel, padding = 0 }: Omit<PoolOptions, 'kernel'> = {},
): Tensor {
  const windows = { kernel, stride, padding };
  const y = pool('AveragePool', x, windows);
  return x.graph.derive(y, [x], (grad) => {
    const share = raw('Mul', grad, x.graph.scalar(1 / (kernel * kernel)));
    const shares = (part: Tensor) => new Array<Tensor>(kernel).fill(part);
    const rows = gathered(shares(share), 2, x.shape[2]!, windows);
    return [gathered(shares(rows), 3, x.shape[3]!, windows)];
  });
}

/** Mean over the whole map: (N, C, H, W) → (N, C). */
export function globalAvgPool(x: Tensor): Tensor {
  return mean(x, { axes: [2, 3] });
}

function pool(opType: 'MaxPool' | 'AveragePool', x: Tensor, { kernel, stride, padding }: Windows): Tensor {
  const out = (length: number) => Math.floor((length + 2 * padding - kernel) / stride) + 1;
  const [batch = 0, channels = 0, height = 0, width = 0] = x.shape;
  const shape = [batch, channels, out(height), out(width)];
  if (x.shape.length !== 4 || shape[2]! < 1 || shape[3]! < 1) {
    throw new Error(`${opType}: a ${kernel}x${kernel} window does not fit ${formatShape(x.shape)}`);
  }
  const attributes = {
    kernel_shape: [kernel, kernel],
    strides: [stride, stride],
    pads: [padding, padding, padding, padding],
    ...(opType === 'AveragePool' && { count_include_pad: 1 }),
  };
  return x.graph.emit(opType, [x], shape, { attributes });
}

/**
 * Along one axis: y = max over windows of x; hands each window's gradient to its first maximum. With a window's elements
 * (a, b, c, …) in order, the k-th's share is [eₖ = y] · Πⱼ₍ₖ₎ [eⱼ < y].
 */
function toFirstMaximum(x: Tensor, y: Tensor, grad: Tensor, axis: 2 | 3, windows: Windows): Tensor {
  const { graph } = x;
  const { kernel, stride, padding } = windows;
  const reach = (y.shape[axis]! - 1) * stride + 1;
  const padded = padding > 0 ? rawPad(x, axis, padding, padding, graph.scalar(-Infinity)) : x;
  let open: Tensor | undefined;
  const shares = Array.from({ length: kernel }, (_, tap) => {
    const element = rawSlice(padded, axis, tap, tap + reach, stride);
    const isMaximum = graph.emit('Equal', [element, y], y.shape, { dtype: 'bool' });
    const isFirst: Tensor = open ? graph.emit('And', [isMaximum, open], y.shape) : isMaximum;
    const isLess = graph.emit('Not', [isMaximum], y.shape);
    open = open ? graph.emit('And', [open, isLess], y.shape) : isLess;
    return raw('Mul', graph.emit('Cast', [isFirst], y.shape, { dtype: 'float32', attributes: { to: 1 } }), grad);
  });
  return gathered(shares, axis, x.shape[axis]!, windows);
}

/**
 * Along one axis of `length`: the sum, at every place, of the shares of the windows that cover it. Element i of
 * shares[t] belongs to the place i · stride + t − padding. Places that are equal modulo the stride are summed by shifted
 * additions, and the classes then interleaved.
 */
function gathered(shares: readonly Tensor[], axis: 2 | 3, length: number, { stride, padding }: Windows): Tensor {
  const shape = shares[0]!.shape;
  const windows = shape[axis]!;
  const count = windows + Math.ceil(shares.length / stride) - 1;
  const withLength = (...lengths: number[]) => [...shape.slice(0, axis), ...lengths, ...shape.slice(axis + 1)];
  const classes = Array.from({ length: Math.min(stride, shares.length) }, (_, residue) => {
    const own = shares.filter((_, tap) => tap % stride === residue);
    const shifted = own.map((share, by) => {
      const after = count - windows - by;
      return by === 0 && after === 0 ? share : rawPad(share, axis, by, after);
    });
    return rawReshape(
      shifted.reduce((sum, share) => raw('Add', sum, share)),
      withLength(count, 1),
    );
  });
  let places = classes.length > 1 ? rawConcat(classes, axis + 1) : classes[0]!;
  if (classes.length < stride) places = rawPad(places, axis + 1, 0, stride - classes.length);
  places = rawReshape(places, withLength(count * stride));
  const missing = padding + length - count * stride;
  if (missing > 0) places = rawPad(places, axis, 0, missing);
  return padding === 0 && places.shape[axis] === length ? places : rawSlice(places, axis, padding, padding + length);
}

/** Pooling. */
import { formatShape, type Tensor } from '../tensor';
import { raw } from './elementwise';
import { mean } from './reduce';
import { rawPad, rawReshape, rawSlice } from './shape';

export interface PoolOptions {
  /** Rows and columns of a window. */
  readonly kernel: number;
  /** Distance of windows; the kernel's size by default. */
  readonly stride?: number;
  readonly padding?: number;
}

/** Maximum over windows of (N, C, H, W); a tie's gradient goes to the first element in row-major order, as in PyTorch. */
export function maxPool(x: Tensor, { kernel, stride = kernel, padding = 0 }: PoolOptions): Tensor {
  const { graph } = x;
  const [batch = 0, channels = 0, height = 0, width = 0] = x.shape;
  const out = (length: number) => Math.floor((length + 2 * padding - kernel) / stride) + 1;
  const [rows, cols] = [out(height), out(width)];
  if (rows < 1 || cols < 1)
    throw new Error(`maxPool: a ${kernel}x${kernel} window does not fit ${formatShape(x.shape)}`);
  const attributes = {
    kernel_shape: [kernel, kernel],
    strides: [stride, stride],
    pads: [padding, padding, padding, padding],
  };
  const y = graph.emit('MaxPool', [x], [batch, channels, rows, cols], { attributes });
  return graph.derive(y, [x], (grad) => [
    stride === kernel && padding === 0 ? windowGradient(x, y, grad, kernel) : scatterGradient(x, y, grad, attributes),
  ]);
}

/** Mean over windows that tile (N, C, H, W) without overlap. */
export function avgPool(x: Tensor, kernel: number): Tensor {
  const { graph } = x;
  const [batch = 0, channels = 0, height = 0, width = 0] = x.shape;
  const rows = Math.floor(height / kernel);
  const cols = Math.floor(width / kernel);
  const y = graph.emit('AveragePool', [x], [batch, channels, rows, cols], {
    attributes: { kernel_shape: [kernel, kernel], strides: [kernel, kernel] },
  });
  return graph.derive(y, [x], (grad) => {
    const share = raw('Mul', grad, graph.scalar(1 / (kernel * kernel)));
    const blocks = [batch, channels, rows, kernel, cols, kernel];
    const column = rawReshape(share, [batch, channels, rows, 1, cols, 1]);
    const spread = rawReshape(graph.emit('Expand', [column, graph.integers(blocks)], blocks), [
      batch,
      channels,
      rows * kernel,
      cols * kernel,
    ]);
    return [uncropped(spread, height, width)];
  });
}

/** Mean over the whole map: (N, C, H, W) → (N, C). */
export function globalAvgPool(x: Tensor): Tensor {
  return mean(x, { axes: [2, 3] });
}

/**
 * Windows that do not overlap: an element gets its window's gradient if it is the maximum and none before it in the
 * window is. With (a, b, c, …) the window's elements in order, the k-th's share is [eₖ = m] · Πⱼ₍ₖ₎ [eⱼ < m].
 */
function windowGradient(x: Tensor, y: Tensor, grad: Tensor, kernel: number): Tensor {
  const { graph } = x;
  const [batch = 0, channels = 0, height = 0, width = 0] = x.shape;
  const [, , rows = 0, cols = 0] = y.shape;
  let cropped = x;
  if (rows * kernel < height) cropped = rawSlice(cropped, 2, 0, rows * kernel);
  if (cols * kernel < width) cropped = rawSlice(cropped, 3, 0, cols * kernel);
  const lines: Tensor[] = [];
  let open: Tensor | undefined;
  for (let i = 0; i < kernel; i++) {
    const cells: Tensor[] = [];
    for (let j = 0; j < kernel; j++) {
      const element = rawSlice(rawSlice(cropped, 2, i, rows * kernel, kernel), 3, j, cols * kernel, kernel);
      const isMax = graph.emit('Equal', [element, y], y.shape, { dtype: 'bool' });
      const first: Tensor = open ? graph.emit('And', [isMax, open], y.shape) : isMax;
      const isLess = graph.emit('Not', [isMax], y.shape);
      open = open ? graph.emit('And', [open, isLess], y.shape) : isLess;
      const share = graph.emit('Cast', [first], y.shape, { dtype: 'float32', attributes: { to: 1 } });
      cells.push(rawReshape(raw('Mul', share, grad), [batch, channels, rows, cols, 1]));
    }
    const line = graph.emit('Concat', cells, [batch, channels, rows, cols, kernel], { attributes: { axis: 4 } });
    lines.push(rawReshape(line, [batch, channels, rows, 1, cols * kernel]));
  }
  const block = graph.emit('Concat', lines, [batch, channels, rows, kernel, cols * kernel], {
    attributes: { axis: 3 },
  });
  return uncropped(rawReshape(block, [batch, channels, rows * kernel, cols * kernel]), height, width);
}

/** Windows that overlap: the gradient is added at the position of each window's maximum. */
function scatterGradient(
  x: Tensor,
  y: Tensor,
  grad: Tensor,
  attributes: Readonly<Record<string, readonly number[]>>,
): Tensor {
  const { graph } = x;
  const size = x.shape.reduce((product, length) => product * length, 1);
  const count = y.shape.reduce((product, length) => product * length, 1);
  const results = [y, { dtype: 'int64', shape: y.shape }] as const;
  const positions = graph.emitMany('MaxPool', [x], results, { attributes })[1]!;
  const zeros = graph.emit('Expand', [graph.scalar(0), graph.integers([size])], [size]);
  const flat = graph.emit('Reshape', [positions, graph.integers([count])], [count]);
  const values = graph.emit('Reshape', [grad, graph.integers([count])], [count]);
  const scattered = graph.emit('ScatterElements', [zeros, flat, values], [size], {
    attributes: { axis: 0, reduction: 'add' },
  });
  return graph.emit('Reshape', [scattered, graph.integers(x.shape)], x.shape);
}

/** Zeros for the rows and columns on the far side that no window covered. */
function uncropped(x: Tensor, height: number, width: number): Tensor {
  const [, , rows = 0, cols = 0] = x.shape;
  const tall = rows < height ? rawPad(x, 2, 0, height - rows) : x;
  return cols < width ? rawPad(tall, 3, 0, width - cols) : tall;
}

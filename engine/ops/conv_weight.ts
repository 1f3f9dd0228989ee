/**
 * The gradient of a convolution to its weight,
 *   ∂w[k,c,r,t] = Σ ∂y[n,k,i,j] · x[n, c, i·s + r·d − p, j·s + t·d − p],
 * as matrix products. A product wants its right factor with the summed pixels as rows, so x is brought to (N, H, W, C);
 * the taps are then laid side by side by Gather, which copies whole pixels (C values) or whole rows (W values), with
 * one pixel or row of zeros appended for what falls outside the image.
 */
import { ndarray } from '../../formats/ndarray';
import type { Tensor } from '../tensor';
import type { Geometry } from './conv_hints';
import { emitMatmul } from './matmul';
import { emitConcat, emitReshape, emitSlice, emitTranspose } from './shape';

/**
 * ∂w of `shape` (K, C / groups, R, T) from x (N, C, H, W) and grad (N, K, H', W'), by the method that measured fastest for such
 * shapes on the CPU. `last` is x as (N, H, W, C), if the caller has it.
 */
export function weightGradient(
  x: Tensor,
  grad: Tensor,
  shape: readonly number[],
  geometry: Geometry,
  last?: Tensor,
): Tensor {
  const { kernel, stride, groups } = geometry;
  const [, channels = 0, height = 0, width = 0] = x.shape;
  if (groups > 1) {
    const isDepthwise = channels === groups && shape[0] === groups;
    return isDepthwise ? byPlanes(x, grad, shape, geometry) : byGroups(x, grad, shape, geometry);
  }
  if (kernel[0] === 1 || stride[0] > 1 || channels < 16) return byTaps(x, grad, shape, geometry, last);
  const fewPixels = height * width <= 64 && channels >= 64;
  return fewPixels && stride[1] === 1 ? byRows(x, grad, shape, geometry) : byCrossing(x, grad, shape, geometry, last);
}

/** All taps of x side by side: for every image (K × H'W') · (H'W' × RTC). */
export function byTaps(
  x: Tensor,
  grad: Tensor,
  shape: readonly number[],
  geometry: Geometry,
  last = channelsLast(x),
): Tensor {
  const { kernel } = geometry;
  const [batch = 0, channels = 0, height = 0, width = 0] = x.shape;
  const [, features = 0, rows = 0, cols = 0] = grad.shape;
  const taps = kernel[0] * kernel[1];
  const outside = height * width;
  const pixel: number[] = [];
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < cols; j++) {
      for (let r = 0; r < kernel[0]; r++) {
        for (let t = 0; t < kernel[1]; t++) {
          const row = source(i, r, 0, height, geometry);
          const col = source(j, t, 1, width, geometry);
          pixel.push(row === undefined || col === undefined ? outside : row * width + col);
        }
      }
    }
  }
  const pixels = emitReshape(last, [batch, height * width, channels]);
  const isAsItIs = taps === 1 && pixel.length === outside && pixel.every((at, i) => at === i);
  const gathered = isAsItIs ? pixels : gather(withZeros(pixels, 1), 1, pixel, [rows * cols, taps]);
  const columns = emitReshape(gathered, [batch, rows * cols, taps * channels]);
  const product = emitMatmul(emitReshape(grad, [batch, features, rows * cols]), columns);
  const total = sumOverBatch(product);
  return emitReshape(emitTranspose(emitReshape(total, [features, taps, channels]), [0, 2, 1]), shape);
}

/**
 * The taps of a row from x, the taps of a column from ∂y: for every image (KR × HW') · (HW' × TC), which has all R·T
 * taps and copies R + T times instead of R·T times. For vertical stride 1.
 */
export function byCrossing(
  x: Tensor,
  grad: Tensor,
  shape: readonly number[],
  geometry: Geometry,
  last = channelsLast(x),
): Tensor {
  const { kernel, padding, dilation } = geometry;
  const [batch = 0, channels = 0, height = 0, width = 0] = x.shape;
  const [, features = 0, rows = 0, cols = 0] = grad.shape;
  const pixel: number[] = [];
  for (let j = 0; j < cols; j++) {
    for (let t = 0; t < kernel[1]; t++) pixel.push(source(j, t, 1, width, geometry) ?? width);
  }
  const acrossX = gather(withZeros(last, 2), 2, pixel, [cols, kernel[1]]);

  const row: number[] = [];
  for (let r = 0; r < kernel[0]; r++) {
    for (let h = 0; h < height; h++) {
      const i = h + padding[0] - r * dilation[0];
      row.push(i >= 0 && i < rows ? i : rows);
    }
  }
  const downGrad = gather(withZeros(grad, 2), 2, row, [kernel[0], height]);

  const left = emitReshape(downGrad, [batch, features * kernel[0], height * cols]);
  const right = emitReshape(acrossX, [batch, height * cols, kernel[1] * channels]);
  const total = sumOverBatch(emitMatmul(left, right));
  return emitReshape(
    emitTranspose(emitReshape(total, [features, kernel[0], kernel[1], channels]), [0, 3, 1, 2]),
    shape,
  );
}

/**
 * For many channels on small maps, where a product for every image would have large results to add up: with both sides
 * as (channels, H, N, W), one product over all images for each row of taps, on those rows that lie inside the image.
 * For stride 1.
 */
export function byRows(x: Tensor, grad: Tensor, shape: readonly number[], geometry: Geometry): Tensor {
  const { graph } = x;
  const { kernel, padding, dilation } = geometry;
  const [batch = 0, channels = 0, height = 0] = x.shape;
  const [, features = 0, rows = 0, cols = 0] = grad.shape;
  const rowsFirst = (tensor: Tensor) => emitTranspose(tensor, [1, 2, 0, 3]);
  let padded = rowsFirst(x);
  if (padding[1] > 0) {
    const margin = graph.zeros([channels, height, batch, padding[1]]);
    padded = emitConcat([margin, padded, margin], 3);
  }
  const taps = Array.from({ length: kernel[1] }, (_, t) =>
    emitSlice(padded, 3, t * dilation[1], t * dilation[1] + cols),
  );
  const left = rowsFirst(grad);
  const right = emitConcat(taps, 0);
  const products = Array.from({ length: kernel[0] }, (_, r) => {
    const shift = r * dilation[0] - padding[0];
    const first = Math.max(0, -shift);
    const count = Math.max(0, Math.min(rows, height - shift) - first);
    if (count === 0) return graph.zeros([features, kernel[1] * channels]);
    const inside = (tensor: Tensor, start: number) =>
      count === tensor.shape[1] ? tensor : emitSlice(tensor, 1, start, start + count);
    const matrix = (tensor: Tensor) => emitReshape(tensor, [tensor.shape[0]!, count * batch * cols]);
    return graph.emit(
      'FusedMatMul',
      [matrix(inside(left, first)), matrix(inside(right, first + shift))],
      [features, kernel[1] * channels],
      { domain: 'com.microsoft', attributes: { transB: 1 } },
    );
  });
  const split = emitReshape(emitConcat(products, 0), [kernel[0], features, kernel[1], channels]);
  return emitReshape(emitTranspose(split, [1, 3, 0, 2]), shape);
}

/**
 * For depthwise convolutions: every plane of x is convolved with its own plane of ∂y as the kernel, stride and dilation
 * having changed places; one grouped convolution whose results are added up over the images.
 */
function byPlanes(x: Tensor, grad: Tensor, shape: readonly number[], geometry: Geometry): Tensor {
  const { graph } = x;
  const { kernel, stride, padding, dilation } = geometry;
  const [batch = 0, channels = 0, ...size] = x.shape;
  const [, , ...out] = grad.shape;
  const planes = batch * channels;
  const after = kernel.map((taps, i) => {
    const needed = (out[i]! - 1) * stride[i]! + (taps - 1) * dilation[i]! + 1;
    return Math.max(0, needed - size[i]! - padding[i]!);
  });
  const taps = kernel.map((_, i) => {
    const rest = size[i]! + padding[i]! + after[i]! - (out[i]! - 1) * stride[i]! - 1;
    return Math.floor(rest / dilation[i]!) + 1;
  });
  const inputs = [emitReshape(x, [1, planes, ...size]), emitReshape(grad, [planes, 1, ...out])];
  const products = graph.emit('Conv', inputs, [1, planes, ...taps], {
    attributes: {
      kernel_shape: out,
      strides: dilation,
      dilations: stride,
      pads: [...padding, ...after],
      group: planes,
    },
  });
  const wanted = kernel.reduce((all, count, i) => (taps[i]! > count ? emitSlice(all, 2 + i, 0, count) : all), products);
  return emitReshape(sumOverBatch(emitReshape(wanted, [batch, channels, ...kernel])), shape);
}

/** Group by group, with the taps cut out by slices: for every image and group (RTC × H'W') · (H'W' × K). */
function byGroups(x: Tensor, grad: Tensor, shape: readonly number[], geometry: Geometry): Tensor {
  const { graph } = x;
  const { kernel, stride, padding, dilation, groups } = geometry;
  const [batch = 0, channels = 0] = x.shape;
  const [, features = 0, rows = 0, cols = 0] = grad.shape;
  const taps = kernel[0] * kernel[1];
  const padded = graph.emit(
    'Pad',
    [x, graph.integers([0, 0, ...padding, 0, 0, ...padding])],
    x.shape.map((length, axis) => (axis < 2 ? length : length + 2 * padding[axis - 2]!)),
  );
  const shifted: Tensor[] = [];
  for (let r = 0; r < kernel[0]; r++) {
    const top = r * dilation[0];
    const band = emitSlice(padded, 2, top, top + (rows - 1) * stride[0] + 1, stride[0]);
    for (let t = 0; t < kernel[1]; t++) {
      const left = t * dilation[1];
      const tap = emitSlice(band, 3, left, left + (cols - 1) * stride[1] + 1, stride[1]);
      shifted.push(emitReshape(tap, [batch, groups, 1, channels / groups, rows * cols]));
    }
  }
  const columns = emitReshape(emitConcat(shifted, 2), [batch, groups, (taps * channels) / groups, rows * cols]);
  const perGroup = emitReshape(grad, [batch, groups, features / groups, rows * cols]);
  const total = sumOverBatch(emitMatmul(columns, emitTranspose(perGroup, [0, 1, 3, 2])));
  const split = emitReshape(total, [groups, taps, channels / groups, features / groups]);
  return emitReshape(emitTranspose(split, [0, 3, 2, 1]), shape);
}

/** x (N, C, H, W) as (N, H, W, C). */
function channelsLast(x: Tensor): Tensor {
  return emitTranspose(x, [0, 2, 3, 1]);
}

/** The row (axis 0) or column (axis 1) of x under tap `tap` of output `out`, or undefined outside the image. */
function source(out: number, tap: number, axis: 0 | 1, length: number, geometry: Geometry): number | undefined {
  const at = out * geometry.stride[axis] + tap * geometry.dilation[axis] - geometry.padding[axis];
  return at >= 0 && at < length ? at : undefined;
}

/** One more index along an axis, holding zeros. */
function withZeros(x: Tensor, axis: number): Tensor {
  const shape = x.shape.map((length, i) => (i === axis ? 1 : length));
  return emitConcat([x, x.graph.zeros(shape)], axis);
}

function gather(x: Tensor, axis: number, indices: readonly number[], shape: readonly number[]): Tensor {
  const { graph } = x;
  const index = graph.constant(ndarray('int64', shape, BigInt64Array.from(indices, BigInt)));
  const result = [...x.shape.slice(0, axis), ...shape, ...x.shape.slice(axis + 1)];
  return graph.emit('Gather', [x, index], result, { attributes: { axis } });
}

function sumOverBatch(x: Tensor): Tensor {
  return x.graph.emit('ReduceSum', [x, x.graph.integers([0])], x.shape.slice(1), { attributes: { keepdims: 0 } });
}

/** Operators that move values without computing: reshape, transpose, slice, concat, pad, shuffle, upsample. */
import { ndarray, sizeOf, type NdArray } from '../../formats/ndarray';
import { broadcastShape, formatShape, type Tensor } from '../tensor';
import { sumTo } from './elementwise';

/**
 * The same values, in row-major order, in another shape of as many elements; other sizes throw. A first axis that keeps its
 * length is taken from the input at run time, so that the graph works for any batch size.
 */
export function reshape(x: Tensor, shape: readonly number[]): Tensor {
  if (sizeOf(shape) !== sizeOf(x.shape)) {
    throw new Error(`reshape: ${formatShape(x.shape)} does not fit into ${formatShape(shape)}`);
  }
  return x.graph.vjp(emitReshape(x, shape), [x], (grad) => [emitReshape(grad, x.shape)]);
}

/** (N, C, H, W) → (N, C · H · W); likewise for any other axes after the first. */
export function flatten(x: Tensor): Tensor {
  return reshape(x, [x.shape[0]!, sizeOf(x.shape.slice(1))]);
}

/** Permutes the axes: axis i of the result is axis `order[i]` of x. With [0, 2, 3, 1]: (N, C, H, W) → (N, H, W, C). */
export function transpose(x: Tensor, order: readonly number[]): Tensor {
  const inverse = order.map((_, axis) => order.indexOf(axis));
  return x.graph.vjp(emitTranspose(x, order), [x], (grad) => [emitTranspose(grad, inverse)]);
}

/**
 * x[…, start:stop:step, …] along one axis, whose length becomes ⌈(stop − start) / step⌉; the other axes stay. `stop` is cut to
 * the length of the axis; a negative `start` or a `step` below 1 throws. The gradient is 0 at elements that are not taken.
 */
export function slice(x: Tensor, axis: number, start: number, stop: number, step = 1): Tensor {
  const length = x.shape[axis]!;
  const end = Math.min(stop, length);
  return x.graph.vjp(emitSlice(x, axis, start, end, step), [x], (grad) => {
    const count = grad.shape[axis]!;
    // The strided positions: every element followed by step − 1 zeros, then padding at both ends.
    let spread = grad;
    if (step > 1) {
      const before = grad.shape.slice(0, axis);
      const after = grad.shape.slice(axis + 1);
      const column = emitReshape(grad, [...before, count, 1, ...after]);
      const gap = [...before, count, step - 1, ...after];
      const zeros = x.graph.emit('Expand', [x.graph.scalar(0), x.graph.integers(gap)], gap);
      const gaps = emitConcat([column, zeros], axis + 1);
      const all = emitReshape(gaps, [...before, count * step, ...after]);
      const last = Math.min(count * step, length - start);
      spread = last < count * step ? emitSlice(all, axis, 0, last, 1) : all;
    }
    const covered = spread.shape[axis]!;
    return [start === 0 && covered === length ? spread : emitPad(spread, axis, start, length - start - covered)];
  });
}

/**
 * Joins tensors along an axis: (N, C₁, H, W) and (N, C₂, H, W) along axis 1 → (N, C₁ + C₂, H, W). Throws without tensors, or if
 * they differ in another axis. Each gets its own part of the gradient.
 */
export function concat(parts: readonly Tensor[], axis: number): Tensor {
  const y = emitConcat(parts, axis);
  return y.graph.vjp(y, parts, (grad, needs) => {
    let start = 0;
    return parts.map((part, i) => {
      const stop = start + part.shape[axis]!;
      const piece = needs[i] ? emitSlice(grad, axis, start, stop, 1) : undefined;
      start = stop;
      return piece;
    });
  });
}

/** Repeated along axes of length 1, as NumPy broadcasts; `shape` may have more axes in front. */
export function expand(x: Tensor, shape: readonly number[]): Tensor {
  const result = broadcastShape('expand', x.shape, shape);
  const y = x.graph.emit('Expand', [x, x.graph.integers(result)], result);
  return x.graph.vjp(y, [x], (grad) => [sumTo(grad, x.shape)]);
}

/** As many copies along each axis as `repeats` says. */
export function tile(x: Tensor, repeats: readonly number[]): Tensor {
  return repeats.reduce((y, count, axis) => (count === 1 ? y : concat(new Array<Tensor>(count).fill(y), axis)), x);
}

/** Slices of x along an axis, at constant places: axis `axis` becomes the axes of `indices` (int64, from 0). */
export function gather(x: Tensor, axis: number, indices: NdArray<'int64'>): Tensor {
  const { graph } = x;
  const places = Array.from(indices.data, Number);
  const length = x.shape[axis]!;
  const wrong = places.find((place) => place < 0 || place >= length);
  if (wrong !== undefined) throw new Error(`gather: ${wrong} is outside axis ${axis} of ${formatShape(x.shape)}`);
  const [before, after] = [x.shape.slice(0, axis), x.shape.slice(axis + 1)];
  const shape = [...before, ...indices.shape, ...after];
  const y = graph.emit('Gather', [x, graph.constant(indices)], shape, { attributes: { axis } });
  return graph.vjp(y, [x], (grad) => {
    const flat = emitReshape(grad, [...before, places.length, ...after]);
    if (new Set(places).size === places.length) return [gatheredBack(flat, axis, places, length)];
    // Places that are read more than once sum up what comes back: a product with the matrix of who reads what.
    const matrix = ndarray('float32', [length, places.length]);
    places.forEach((place, i) => (matrix.data[place * places.length + i] = 1));
    const blocks = emitReshape(flat, [sizeOf(before), places.length, sizeOf(after)]);
    const sums = graph.emit('MatMul', [graph.constant(matrix), blocks], [sizeOf(before), length, sizeOf(after)]);
    return [emitReshape(sums, x.shape)];
  });
}

/** The places of an axis from distinct ones of them, zeros elsewhere. */
function gatheredBack(grad: Tensor, axis: number, places: readonly number[], length: number): Tensor {
  const { graph } = grad;
  const from = Array.from({ length }, (_, place) => places.indexOf(place));
  const isWhole = !from.includes(-1);
  const zeros = graph.zeros(grad.shape.map((n, i) => (i === axis ? 1 : n)));
  const source = isWhole ? grad : emitConcat([grad, zeros], axis);
  const order = graph.integers(from.map((place) => (place < 0 ? places.length : place)));
  const shape = grad.shape.map((n, i) => (i === axis ? length : n));
  return graph.emit('Gather', [source, order], shape, { attributes: { axis } });
}

/** A linear map along one of the last two axes, by a constant matrix (new length, old length). */
export function resample(x: Tensor, axis: number, matrix: NdArray<'float32'>): Tensor {
  const { graph } = x;
  const isLast = axis === x.shape.length - 1;
  if (!isLast && axis !== x.shape.length - 2) throw new Error(`resample: axis ${axis} is not one of the last two`);
  const weights = graph.constant(matrix);
  const turned = emitTranspose(weights, [1, 0]);
  const along = (tensor: Tensor, left: Tensor, right: Tensor, length: number) => {
    const shape = tensor.shape.map((n, i) => (i === axis ? length : n));
    return graph.emit('MatMul', isLast ? [tensor, right] : [left, tensor], shape);
  };
  return graph.vjp(along(x, weights, turned, matrix.shape[0]!), [x], (grad) => [
    along(grad, turned, weights, matrix.shape[1]!),
  ]);
}

/** Channels to places: (N, C b², H, W) → (N, C, H b, W b); 'CRD' takes b² neighboring channels, as PyTorch's PixelShuffle. */
export function depthToSpace(x: Tensor, block: number, mode: 'DCR' | 'CRD' = 'CRD'): Tensor {
  const [batch = 0, channels = 0, height = 0, width = 0] = x.shape;
  const depth = channels / block ** 2;
  const split =
    mode === 'DCR' ? [batch, block, block, depth, height, width] : [batch, depth, block, block, height, width];
  const order = mode === 'DCR' ? [0, 3, 4, 1, 5, 2] : [0, 1, 4, 2, 5, 3];
  return reshape(transpose(reshape(x, split), order), [batch, depth, height * block, width * block]);
}

/** Places to channels: (N, C, H, W) → (N, b² C, H / b, W / b), as ONNX orders them. */
export function spaceToDepth(x: Tensor, block: number): Tensor {
  const [batch = 0, channels = 0, height = 0, width = 0] = x.shape;
  const [rows, columns] = [height / block, width / block];
  const blocks = reshape(x, [batch, channels, rows, block, columns, block]);
  return reshape(transpose(blocks, [0, 3, 5, 1, 2, 4]), [batch, channels * block ** 2, rows, columns]);
}

/** Before and after along one axis: zeros, the mirror image without the edge itself, or the edge repeated. */
export function padEdges(x: Tensor, axis: number, before: number, after: number, mode: 'reflect' | 'edge'): Tensor {
  const length = x.shape[axis]!;
  const place = (i: number) => {
    if (mode === 'edge') return Math.min(length - 1, Math.max(0, i));
    const period = Math.max(1, 2 * (length - 1));
    const inside = ((i % period) + period) % period;
    return Math.min(inside, period - inside);
  };
  const places = Array.from({ length: before + length + after }, (_, i) => BigInt(place(i - before)));
  return gather(x, axis, ndarray('int64', [places.length], BigInt64Array.from(places)));
}

/**
 * Pads one axis with `before` zeros at its start and `after` at its end, or with another value: length L → before + L + after.
 * The gradient is that of the elements of x.
 */
export function pad(x: Tensor, axis: number, before: number, after: number, value = 0): Tensor {
  const filling = value === 0 ? undefined : x.graph.scalar(value);
  return x.graph.vjp(emitPad(x, axis, before, after, filling), [x], (grad) => [
    emitSlice(grad, axis, before, before + x.shape[axis]!, 1),
  ]);
}

/**
 * Permutes the channels of (N, C, H, W), so that the g groups mix: channel i of group j becomes channel j of group i (Zhang et
 * al. 2018, "ShuffleNet"). Throws if `groups` does not divide C.
 */
export function channelShuffle(x: Tensor, groups: number): Tensor {
  const [batch = 0, channels = 0, height = 0, width = 0] = x.shape;
  const grouped = reshape(x, [batch, groups, channels / groups, height, width]);
  return reshape(transpose(grouped, [0, 2, 1, 3, 4]), x.shape);
}

/** Nearest-neighbor upsampling by an integer factor f: (N, C, H, W) → (N, C, f H, f W);  ∂ = the sum over each f × f block. */
export function upsample(x: Tensor, factor: number): Tensor {
  const [batch = 0, channels = 0, height = 0, width = 0] = x.shape;
  const { graph } = x;
  const big = [batch, channels, height * factor, width * factor];
  const column = emitReshape(x, [batch, channels, height, 1, width, 1]);
  const blocks = [batch, channels, height, factor, width, factor];
  const y = emitReshape(graph.emit('Expand', [column, graph.integers(blocks)], blocks), big);
  return graph.vjp(y, [x], (grad) => {
    const parts = emitReshape(grad, blocks);
    return [graph.emit('ReduceSum', [parts, graph.integers([3, 5])], x.shape, { attributes: { keepdims: 0 } })];
  });
}

/** `reshape` without an entry on the tape and without its check of sizes. */
export function emitReshape(x: Tensor, shape: readonly number[]): Tensor {
  return x.graph.emit('Reshape', [x, reshapeTarget(x, shape)], shape);
}

/** What `Reshape` takes as the shape: 0 stands for a first axis that keeps its length. */
export function reshapeTarget(x: Tensor, shape: readonly number[]): Tensor {
  const keepsBatch = shape.length > 0 && shape[0] === x.shape[0] && shape[0] !== 0;
  return x.graph.integers(keepsBatch ? [0, ...shape.slice(1)] : shape);
}

/** `transpose` without an entry on the tape. */
export function emitTranspose(x: Tensor, order: readonly number[]): Tensor {
  const shape = order.map((axis) => x.shape[axis]!);
  return x.graph.emit('Transpose', [x], shape, { attributes: { perm: order } });
}

/** `slice` without an entry on the tape; `stop` may not exceed the length. */
export function emitSlice(x: Tensor, axis: number, start: number, stop: number, step = 1): Tensor {
  if (start < 0 || stop > x.shape[axis]! || step < 1) {
    throw new Error(`slice: ${start}:${stop}:${step} is outside axis ${axis} of ${formatShape(x.shape)}`);
  }
  const { graph } = x;
  const shape = x.shape.map((length, i) => (i === axis ? Math.max(0, Math.ceil((stop - start) / step)) : length));
  const one = (value: number) => graph.integers([value]);
  return graph.emit('Slice', [x, one(start), one(stop), one(axis), one(step)], shape);
}

/** `concat` without an entry on the tape. */
export function emitConcat(parts: readonly Tensor[], axis: number): Tensor {
  const [first] = parts;
  if (!first) throw new Error('concat: needs at least one tensor');
  for (const part of parts) {
    if (part.shape.length !== first.shape.length || part.shape.some((n, i) => i !== axis && n !== first.shape[i])) {
      throw new Error(`concat: ${formatShape(first.shape)} and ${formatShape(part.shape)} differ outside axis ${axis}`);
    }
  }
  const length = parts.reduce((total, part) => total + part.shape[axis]!, 0);
  const shape = first.shape.map((n, i) => (i === axis ? length : n));
  return first.graph.emit('Concat', parts, shape, { attributes: { axis } });
}

/** The rows of x (R, …) with these numbers (K), from 0: (K, …), without an entry on the tape. */
export function emitRows(x: Tensor, numbers: Tensor): Tensor {
  return x.graph.emit('Gather', [x, numbers], [...numbers.shape, ...x.shape.slice(1)], { attributes: { axis: 0 } });
}

/** x (R, …) with the rows of these distinct numbers (K) replaced by `rows` (K, …): (R, …), without an entry on the tape. */
export function emitWithRows(x: Tensor, numbers: Tensor, rows: Tensor): Tensor {
  const { graph } = x;
  const count = numbers.shape[0]!;
  const wide = graph.emit('Cast', [numbers], [count], { dtype: 'int64', attributes: { to: 7 } });
  return graph.emit('ScatterND', [x, emitReshape(wide, [count, 1]), rows], x.shape);
}

/** `pad` with zeros or the scalar `value`, without an entry on the tape. */
export function emitPad(x: Tensor, axis: number, before: number, after: number, value?: Tensor): Tensor {
  const { graph } = x;
  const shape = x.shape.map((length, i) => (i === axis ? length + before + after : length));
  // All axes are named: ONNX Runtime's change of layouts gets Pad wrong where its optional axes are given.
  const at = (amount: number) => x.shape.map((_, i) => (i === axis ? amount : 0));
  return graph.emit('Pad', [x, graph.integers([...at(before), ...at(after)]), value], shape);
}

/** Operators that move values without computing. */
import { sizeOf } from '../../../../formats/ndarray';
import { broadcastShape } from '../../../tensor';
import { channelsLast, commonOrder, range, Value } from '../value';
import { fromStart, input, integer, integers, plain, type Call, type Kernels } from './kernel';

/** A length of 0 means that of the input, −1 the remaining length. */
function reshape(call: Call): Value {
  const { tf } = call;
  const x = input(call, 0);
  const shape = call.numbers(1)!.map((length, axis) => (length === 0 ? x.shape[axis]! : length));
  const rest = shape.indexOf(-1);
  if (rest >= 0) shape[rest] = sizeOf(x.shape) / -sizeOf(shape);
  const last = channelsLast(x.rank);
  const keepsChannels = shape.length > 2 && shape[0] === x.shape[0] && shape[1] === x.shape[1];
  if (keepsChannels && x.has(last) && !x.has(range(x.rank))) {
    const order = channelsLast(shape.length);
    const lengths = order.map((axis) => shape[axis]!);
    return new Value(tf, tf.reshape(x.channelsLast, lengths), order);
  }
  return plain(call, tf.reshape(x.plain, shape));
}

/** Returns the same tensor if it is already in this order. */
function transpose(call: Call): Value {
  const x = input(call, 0);
  const order = integers(call.node, 'perm', range(x.rank).reverse());
  const last = channelsLast(x.rank);
  if (order.every((axis, i) => last[axis] === i)) return new Value(call.tf, x.plain.clone(), last);
  return plain(call, x.inOrder(order).clone());
}

function concat(call: Call): Value {
  const values = call.inputs.filter((value) => value !== undefined);
  const order = commonOrder(values);
  const axis = order.indexOf(fromStart(integer(call.node, 'axis', 0), order.length));
  const tensors = values.map((value) => value.inOrder(order));
  return new Value(call.tf, call.tf.concat(tensors, axis), order);
}

/** x[start:stop:step] along each of some axes, forwards. */
function slice(call: Call): Value {
  const { tf } = call;
  const x = input(call, 0);
  const order = commonOrder([x]);
  const [starts, stops, axes, steps] = [1, 2, 3, 4].map((i) => call.numbers(i));
  const begin = order.map(() => 0);
  const end = order.map((axis) => x.shape[axis]!);
  const strides = order.map(() => 1);
  starts!.forEach((start, i) => {
    const axis = fromStart(axes?.[i] ?? i, x.rank);
    const length = x.shape[axis]!;
    const at = (place: number) => Math.min(Math.max(place < 0 ? place + length : place, 0), length);
    const place = order.indexOf(axis);
    [begin[place], end[place], strides[place]] = [at(start), at(stops![i]!), steps?.[i] ?? 1];
  });
  if (strides.some((step) => step < 1)) throw new Error(`tensorflow: ${call.node.name}: Slice needs a positive step`);
  const tensor = x.inOrder(order);
  const y = strides.every((step) => step === 1)
    ? tf.slice(
        tensor,
        begin,
        end.map((stop, i) => Math.max(0, stop - begin[i]!)),
      )
    : tf.stridedSlice(tensor, begin, end, strides);
  return new Value(tf, y, order);
}

/** A constant before and after, along each of some axes. */
function pad(call: Call): Value {
  const { tf } = call;
  const x = input(call, 0);
  const order = commonOrder([x]);
  const amounts = call.numbers(1)!;
  const [value = 0] = call.numbers(2) ?? [];
  const axes = call.numbers(3) ?? range(x.rank);
  const paddings = order.map((): [number, number] => [0, 0]);
  axes.forEach((axis, i) => {
    paddings[order.indexOf(fromStart(axis, x.rank))] = [amounts[i]!, amounts[axes.length + i]!];
  });
  return new Value(tf, tf.pad(x.inOrder(order), paddings, value), order);
}

function expand(call: Call): Value {
  const x = input(call, 0);
  return plain(call, call.tf.broadcastTo(x.plain, broadcastShape('expand', x.shape, call.numbers(1)!)));
}

function gather(call: Call): Value {
  const x = input(call, 0);
  const axis = fromStart(integer(call.node, 'axis', 0), x.rank);
  return plain(call, call.tf.gather(x.plain, call.tf.cast(input(call, 1).plain, 'int32'), axis));
}

/** x with the rows of some numbers replaced; `tensorScatterUpdate` of the JavaScript build writes into x itself. */
function scatterRows(call: Call): Value {
  const { tf } = call;
  const x = input(call, 0).plain;
  const [indices, updates] = [input(call, 1).plain, input(call, 2).plain];
  const isReplaced = tf.greater(tf.scatterND(indices, tf.onesLike(updates), x.shape), 0);
  return plain(call, tf.where(isReplaced, tf.scatterND(indices, updates, x.shape), x));
}

/** Reshape, Transpose, Concat, Slice, Pad, Expand, Gather, ScatterND, by ONNX's names. */
export const shapeKernels: Kernels = {
  Reshape: reshape,
  Transpose: transpose,
  Concat: concat,
  Slice: slice,
  Pad: pad,
  Expand: expand,
  Gather: gather,
  ScatterND: scatterRows,
};

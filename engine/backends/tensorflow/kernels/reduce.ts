/** Reductions over axes; without axes, over all of them. */
import { sizeOf } from '../../../../formats/ndarray';
import type { Tensor, Tf } from '../package';
import { channelsLast, range, Value } from '../value';
import { fromStart, input, integer, plain, type Call, type Kernel, type Kernels } from './kernel';

type Reduce = (tf: Tf, x: Tensor, axes: number[], keepDims: boolean) => Tensor;

function reduction(reduce: Reduce): Kernel {
  return (call) => {
    const x = input(call, 0);
    const given = call.numbers(1) ?? [];
    const axes = given.length > 0 ? given.map((axis) => fromStart(axis, x.rank)) : range(x.rank);
    const keepDims = integer(call.node, 'keepdims', 1) === 1;
    const order = orderFor(x, axes, keepDims);
    const places = axes.map((axis) => order.indexOf(axis));
    const y = reduce(call.tf, x.inOrder(order), places, keepDims);
    return keepDims ? new Value(call.tf, y, order) : plain(call, y);
  };
}

/** Channels stay last where the axes that are left come out in the graph's order all the same. */
function orderFor(x: Value, axes: readonly number[], keepDims: boolean): number[] {
  const last = channelsLast(x.rank);
  const rest = last.filter((axis) => !axes.includes(axis));
  const isInOrder = keepDims || rest.every((axis, i) => i === 0 || axis > rest[i - 1]!);
  return x.has(last) && isInOrder ? last : range(x.rank);
}

function argMax(call: Call): Value {
  const x = input(call, 0);
  const axis = fromStart(integer(call.node, 'axis', 0), x.rank);
  const best = call.tf.argMax(x.plain, axis);
  return plain(call, integer(call.node, 'keepdims', 1) === 1 ? call.tf.expandDims(best, axis) : best);
}

/** Reductions and ArgMax, by ONNX's names. */
export const reduceKernels: Kernels = {
  ReduceSum: reduction((tf, x, axes, keepDims) => tf.sum(x, axes, keepDims)),
  ReduceSumSquare: reduction((tf, x, axes, keepDims) => tf.sum(tf.square(x), axes, keepDims)),
  ReduceMax: reduction((tf, x, axes, keepDims) => tf.max(x, axes, keepDims)),
  ReduceMin: reduction((tf, x, axes, keepDims) => tf.min(x, axes, keepDims)),
  ReduceMean: reduction((tf, x, axes, keepDims) =>
    tf.div(tf.sum(x, axes, keepDims), sizeOf(axes.map((axis) => x.shape[axis]!))),
  ),
  ReduceLogSumExp: reduction((tf, x, axes, keepDims) => tf.logSumExp(x, axes, keepDims)),
  ArgMax: argMax,
};

/** Operators of ONNX that sum over axes or windows. */
import { ndarray } from '../../../../formats/ndarray';
import type { Pair } from '../../../ops/conv_hints';
import * as ops from '../../../ops/index';
import type { ReduceOptions } from '../../../ops/reduce';
import type { Tensor } from '../../../tensor';
import type { Call, Value } from '../call';
import { axesOf, fromStart } from '../moves';
import { padded, padsOf } from './layers';
import type { Operators } from './operator';

const reduction =
  (build: (x: Tensor, options: ReduceOptions) => Tensor) =>
  (call: Call): Value => {
    const x = call.tensor(0);
    if (call.has(1)) call.numbers(1);
    const given = axesOf(call.node, call.known(1))?.map((axis) => fromStart(axis, x.shape.length));
    if (given?.length === 0 && call.integer('noop_with_empty_axes', 0) === 1) return x;
    const axes = given && given.length > 0 ? given : x.shape.map((_, axis) => axis);
    return build(x, { axes, keepDims: call.integer('keepdims', 1) === 1 });
  };

/** By their names in ONNX. */
export const reductionOperators: Operators = {
  ReduceSum: reduction(ops.sum),
  ReduceMean: reduction(ops.mean),
  ReduceMax: reduction(ops.max),
  ReduceMin: reduction(ops.min),
  ReduceSumSquare: reduction(ops.sumSquare),
  ReduceL1: reduction((x, options) => ops.sum(ops.abs(x), options)),
  ReduceL2: reduction(ops.norm2),
  ReduceLogSumExp: reduction(ops.logSumExp),
  Softmax: (call) => alongAxis(call, ops.softmax),
  LogSoftmax: (call) => alongAxis(call, ops.logSoftmax),
  GlobalAveragePool: (call) => ops.mean(call.tensor(0), places(call)),
  GlobalMaxPool: (call) => ops.max(call.tensor(0), places(call)),
  MaxPool: (call) => maxPool(call),
  AveragePool: (call) => averagePool(call),
};

function places(call: Call): ReduceOptions {
  return {
    axes: call
      .shape(0)
      .map((_, axis) => axis)
      .slice(2),
    keepDims: true,
  };
}

/** Before version 13 of ONNX's operators, over all axes from the one that is named on. */
function alongAxis(call: Call, build: (x: Tensor, axis: number) => Tensor): Tensor {
  const x = call.tensor(0);
  const rank = x.shape.length;
  const isOld = call.around.opset < 13;
  const axis = call.axis(rank, isOld ? 1 : -1);
  if (!isOld || axis === rank - 1) return build(x, axis);
  const lengths = [...x.shape.slice(0, axis), x.shape.slice(axis).reduce((a, b) => a * b, 1)];
  return ops.reshape(build(ops.reshape(x, lengths), axis), x.shape);
}

interface Windows {
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly pads: readonly [Pair, Pair];
  /** What the last windows reach beyond that. */
  readonly beyond: Pair;
}

function windowsOf(call: Call): Windows {
  const [, , ...size] = call.shape(0);
  const list = (name: string) => call.integers(name);
  const kernel = (list('kernel_shape') ?? []) as unknown as Pair;
  if (size.length !== 2 || kernel.length !== 2) call.fail('has not two axes of places');
  const stride = (list('strides') ?? [1, 1]) as unknown as Pair;
  if (list('dilations')?.some((dilation) => dilation !== 1)) call.fail('has dilations');
  const pads = padsOf(call, size, kernel, stride, [1, 1]);
  const isCeil = call.integer('ceil_mode', 0) === 1;
  const beyond = [0, 1].map((i) => {
    const [before, after] = pads[i]!;
    const room = size[i]! + before + after - kernel[i]!;
    const last = Math.ceil(room / stride[i]!);
    // A window that would begin behind the image and what is before it is left out.
    const count = last * stride[i]! >= size[i]! + before ? last : last + 1;
    return isCeil ? Math.max(0, (count - 1) * stride[i]! - room) : 0;
  });
  return { kernel, stride, pads, beyond: [beyond[0]!, beyond[1]!] };
}

/** The pads with what the last windows reach beyond them. */
function reached({ pads, beyond }: Windows): readonly [Pair, Pair] {
  const [rows, columns] = pads;
  return [
    [rows[0], rows[1] + beyond[0]],
    [columns[0], columns[1] + beyond[1]],
  ];
}

/** More padding than half a window is added before. */
function within(x: Tensor, pads: readonly [Pair, Pair], kernel: Pair, value: number): { x: Tensor; padding: Pair } {
  const isNarrow = pads.every(([before], i) => 2 * before <= kernel[i]!);
  if (isNarrow) return padded(x, pads, value);
  const tall = ops.pad(x, 2, ...pads[0], value);
  return { x: ops.pad(tall, 3, ...pads[1], value), padding: [0, 0] };
}

function maxPool(call: Call): Tensor {
  if (call.node.outputs.slice(1).some((name) => name !== '')) call.fail('has more than one output');
  const windows = windowsOf(call);
  const { kernel, stride } = windows;
  const { x, padding } = within(call.tensor(0), reached(windows), kernel, -Infinity);
  return ops.maxPool(x, { kernel, stride, padding });
}

/** The mean of a window is that of the elements which count, be they of the image or of its padding too. */
function averagePool(call: Call): Tensor {
  const windows = windowsOf(call);
  const { kernel, stride, pads } = windows;
  const countsPads = call.integer('count_include_pad', 0) === 1;
  const { x, padding } = within(call.tensor(0), reached(windows), kernel, 0);
  const y = ops.avgPool(x, kernel, { stride, padding });
  const [, , ...size] = call.shape(0);
  const shares = [0, 1].map((i) => {
    const [before, after] = pads[i]!;
    const [from, to] = countsPads ? [-before, size[i]! + after] : [0, size[i]!];
    return Array.from({ length: y.shape[2 + i]! }, (_, k) => {
      const start = k * stride[i]! - before;
      return kernel[i]! / (Math.min(to, start + kernel[i]!) - Math.max(from, start));
    });
  });
  if (shares.flat().every((share) => share === 1)) return y;
  const [rows, columns] = shares as [number[], number[]];
  const factors = Float32Array.from(rows.flatMap((row) => columns.map((column) => row * column)));
  return ops.mul(y, call.graph.constant(ndarray('float32', [1, 1, rows.length, columns.length], factors)));
}

/** Convolutions and pools: TensorFlow's want the channels last, and kernels as (rows, columns, in, out). */
import type { Tensor, Tf } from '../package';
import { channelsLast, Value } from '../value';
import { input, integer, integers, type Call, type Kernels } from './kernel';

type Pair = [rows: number, columns: number];
type Pads = readonly number[];

const CHANNELS_LAST = channelsLast(4);

/** x (N, C, H, W), kernel (K, C / groups, R, T), bias (K). */
function conv(call: Call): Value {
  const { tf, node, inputs } = call;
  const strides = pairOf(integers(node, 'strides', [1, 1]));
  const pads = integers(node, 'pads', [0, 0, 0, 0]);
  const taps = input(call, 1).inOrder([2, 3, 1, 0]);
  const y = convolve(call, input(call, 0).channelsLast, taps, strides, pads);
  return new Value(tf, inputs[2] ? tf.add(y, inputs[2].plain) : y, CHANNELS_LAST);
}

/**
 * The gradient of a convolution to its input: a convolution with the kernel flipped and its channels exchanged, of x
 * with zeros between its elements where that had a stride.
 */
function convTranspose(call: Call): Value {
  const { tf, node, inputs } = call;
  const strides = pairOf(integers(node, 'strides', [1, 1]));
  const dilations = pairOf(integers(node, 'dilations', [1, 1]));
  const pads = integers(node, 'pads', [0, 0, 0, 0]);
  const extra = integers(node, 'output_padding', [0, 0]);
  const groups = integer(node, 'group', 1);
  const kernel = input(call, 1);
  const [features = 0, channels = 0, ...size] = kernel.shape;
  const grouped = tf.reshape(kernel.plain, [groups, features / groups, channels, ...size]);
  const turned = tf.transpose(tf.reverse(grouped, [3, 4]), [3, 4, 1, 0, 2]);
  const taps = tf.reshape(turned, [...size, features / groups, groups * channels]);
  const around = pads.map((amount, i) => {
    const reach = dilations[i % 2]! * (size[i % 2]! - 1) - amount;
    return i < 2 ? reach : reach + extra[i - 2]!;
  });
  const x = spread(tf, spread(tf, input(call, 0).channelsLast, 1, strides[0]), 2, strides[1]);
  const y = convolve(call, x, taps, [1, 1], around);
  return new Value(tf, inputs[2] ? tf.add(y, inputs[2].plain) : y, CHANNELS_LAST);
}

/** x (N, H, W, C), taps (R, T, C / groups, K) → (N, H', W', K), with the dilations and groups of the node. */
function convolve(call: Call, x: Tensor, taps: Tensor, strides: Pair, pads: Pads): Tensor {
  const { tf, node } = call;
  const dilations = pairOf(integers(node, 'dilations', [1, 1]));
  const groups = integer(node, 'group', 1);
  const [rows = 0, columns = 0, channels = 0, features = 0] = taps.shape;
  const padded = padOrCrop(tf, x, pads, 0);
  if (groups > 1 && channels === 1) {
    // TensorFlow on a CPU takes no dilations in a depthwise convolution.
    const depthwise = dilated(tf, tf.reshape(taps, [rows, columns, groups, features / groups]), dilations);
    return tf.depthwiseConv2d(padded as Four, depthwise as Four, strides, 'valid');
  }
  // It takes them elsewhere where there are no strides.
  const isStrided = strides.some((stride) => stride > 1);
  const kernel = isStrided ? dilated(tf, taps, dilations) : taps;
  const images = groups === 1 ? [padded] : tf.split(padded, groups, 3);
  const kernels = groups === 1 ? [kernel] : tf.split(kernel, groups, 3);
  const maps = images.map((one, i) =>
    tf.conv2d(one as Four, kernels[i] as Four, strides, 'valid', 'NHWC', isStrided ? [1, 1] : dilations),
  );
  return maps.length === 1 ? maps[0]! : tf.concat(maps, 3);
}

type Four = import('@tensorflow/tfjs').Tensor4D;

/** A kernel (R, T, …) with zeros between its taps. */
function dilated(tf: Tf, taps: Tensor, [rows, columns]: Pair): Tensor {
  return spread(tf, spread(tf, taps, 0, rows), 1, columns);
}

/** `step` − 1 zeros between the elements along an axis. */
function spread(tf: Tf, x: Tensor, axis: number, step: number): Tensor {
  if (step === 1) return x;
  const [before, length, after] = [x.shape.slice(0, axis), x.shape[axis]!, x.shape.slice(axis + 1)];
  const column = tf.reshape(x, [...before, length, 1, ...after]);
  const gaps = tf.pad(
    column,
    column.shape.map((_, i) => (i === axis + 1 ? [0, step - 1] : [0, 0])),
  );
  const all = tf.reshape(gaps, [...before, length * step, ...after]);
  return tf.slice(
    all,
    all.shape.map(() => 0),
    [...before, (length - 1) * step + 1, ...after],
  );
}

/** (N, H, W, C) with `value` around it, [top, left, bottom, right]; negative amounts are cut off. */
function padOrCrop(tf: Tf, x: Tensor, pads: Pads, value: number): Tensor {
  const [top = 0, left = 0, bottom = 0, right = 0] = pads;
  if (pads.every((amount) => amount === 0)) return x;
  const more = (amount: number) => Math.max(0, amount);
  const [batch = 0, height = 0, width = 0, channels = 0] = x.shape;
  const first = [0, more(-top), more(-left), 0];
  const size = [batch, height - more(-top) - more(-bottom), width - more(-left) - more(-right), channels];
  const kept = pads.some((amount) => amount < 0) ? tf.slice(x, first, size) : x;
  return tf.pad(
    kept,
    [
      [0, 0],
      [more(top), more(bottom)],
      [more(left), more(right)],
      [0, 0],
    ],
    value,
  );
}

function pool(call: Call, kind: 'max' | 'avg'): Value {
  const { tf, node } = call;
  const kernel = pairOf(integers(node, 'kernel_shape', []));
  const strides = pairOf(integers(node, 'strides', [1, 1]));
  const pads = integers(node, 'pads', [0, 0, 0, 0]);
  if (kind === 'avg' && pads.some((amount) => amount > 0) && integer(node, 'count_include_pad', 0) === 0) {
    throw new Error(`tensorflow: ${node.name}: AveragePool must count the padding`);
  }
  const x = padOrCrop(tf, input(call, 0).channelsLast, pads, kind === 'max' ? -Infinity : 0) as Four;
  const y = kind === 'max' ? tf.maxPool(x, kernel, strides, 'valid') : tf.avgPool(x, kernel, strides, 'valid');
  return new Value(tf, y, CHANNELS_LAST);
}

function pairOf([rows = 1, columns = 1]: readonly number[]): Pair {
  return [rows, columns];
}

/** Conv, ConvTranspose, MaxPool, AveragePool, by ONNX's names. */
export const convKernels: Kernels = {
  Conv: conv,
  ConvTranspose: convTranspose,
  MaxPool: (call) => pool(call, 'max'),
  AveragePool: (call) => pool(call, 'avg'),
};

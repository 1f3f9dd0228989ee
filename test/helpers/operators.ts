/** Every differentiable operator at several shapes: inputs, and what is made of them. */
import * as ops from '../../engine/ops';
import { modernOperators } from './modern_operators';
import {
  awayFrom,
  between,
  binary,
  convolution,
  distinct,
  matrix,
  normalization,
  reduction,
  unary,
  x4,
  type OperatorCase,
} from './operator_inputs';

export type { OperatorCase } from './operator_inputs';

/** The cases of each operator, by a name that tells them apart; none for what has no gradient. */
export const operators: Record<keyof typeof ops, Record<string, OperatorCase>> = {
  abs: { '': unary(ops.abs, awayFrom([0], [3, 5])) },
  add: binary(ops.add),
  sub: binary(ops.sub),
  mul: binary(ops.mul),
  div: binary(ops.div),
  neg: { '': unary(ops.neg) },
  exp: { '': unary(ops.exp) },
  log: { '': unary(ops.log, between(0.5, 2, [3, 5])) },
  sqrt: { '': unary(ops.sqrt, between(0.5, 2, [3, 5])) },
  square: { '': unary(ops.square) },
  smoothL1: { '': unary(ops.smoothL1, awayFrom([-1, 1], [4, 8])) },
  relu: { '': unary(ops.relu, awayFrom([0], [4, 8])) },
  relu6: { '': unary(ops.relu6, awayFrom([0, 6], [4, 8])) },
  leakyRelu: {
    default: unary((x) => ops.leakyRelu(x), awayFrom([0], [4, 8])),
    steep: unary((x) => ops.leakyRelu(x, 0.3), awayFrom([0], [4, 8])),
  },
  sigmoid: { '': unary(ops.sigmoid) },
  softplus: { '': unary(ops.softplus) },
  tanh: { '': unary(ops.tanh) },
  sum: reduction(ops.sum, x4),
  mean: reduction(ops.mean, x4),
  sumSquare: reduction(ops.sumSquare, x4),
  max: reduction(ops.max, distinct([2, 3, 2, 5])),
  reshape: { '': unary((x) => ops.reshape(x, [6, 20]), x4) },
  flatten: { '': unary(ops.flatten, x4) },
  transpose: {
    matrix: unary((x) => ops.transpose(x, [1, 0])),
    cycle: unary((x) => ops.transpose(x, [2, 0, 3, 1]), x4),
  },
  slice: {
    range: unary((x) => ops.slice(x, 1, 1, 3), x4),
    'every second': unary((x) => ops.slice(x, 3, 0, Infinity, 2), x4),
    'every third from the second on': unary((x) => ops.slice(x, 3, 1, 5, 3), x4),
    'every second of an even length': unary((x) => ops.slice(x, 2, 0, 4, 2), x4),
  },
  concat: {
    channels: { inputs: [x4, between(-2, 2, [2, 1, 4, 5]), x4], build: (...parts) => ops.concat(parts, 1) },
    twice: unary((x) => ops.concat([x, x], 0)),
  },
  pad: { '': unary((x) => ops.pad(x, 1, 1, 2), x4) },
  channelShuffle: { '': unary((x) => ops.channelShuffle(x, 3), between(-2, 2, [2, 6, 2, 3])) },
  upsample: { '': unary((x) => ops.upsample(x, 3), x4) },
  matmul: {
    matrices: { inputs: [matrix, between(-2, 2, [5, 4])], build: ops.matmul },
    'one matrix for all': { inputs: [between(-2, 2, [2, 3, 5]), between(-2, 2, [5, 4])], build: ops.matmul },
    batched: { inputs: [x4, between(-2, 2, [2, 3, 5, 2])], build: ops.matmul },
    broadcast: { inputs: [between(-2, 2, [3, 1, 2, 5]), between(-2, 2, [4, 5, 2])], build: ops.matmul },
    'one matrix on the left': { inputs: [matrix, between(-2, 2, [2, 5, 4])], build: ops.matmul },
  },
  matmulTransposed: {
    matrices: { inputs: [matrix, between(-2, 2, [4, 5])], build: ops.matmulTransposed },
    batched: { inputs: [between(-2, 2, [2, 3, 5]), between(-2, 2, [2, 4, 5])], build: ops.matmulTransposed },
    'of itself': unary((x) => ops.matmulTransposed(x, x), x4),
  },
  linear: {
    plain: { inputs: [matrix, between(-2, 2, [4, 5])], build: (x, weight) => ops.linear(x, weight) },
    bias: { inputs: [matrix, between(-2, 2, [4, 5]), between(-2, 2, [4])], build: ops.linear },
    tokens: { inputs: [between(-2, 2, [2, 3, 5]), between(-2, 2, [4, 5]), between(-2, 2, [4])], build: ops.linear },
  },
  conv2d: {
    '3x3': convolution([2, 3, 5, 6], [4, 3, 3, 3], { padding: 1 }, true),
    '3x3 of 16 channels': convolution([2, 16, 5, 4], [5, 16, 3, 3], { padding: 1 }),
    '3x3 of 64 channels on a small map': convolution([2, 64, 3, 4], [3, 64, 3, 3], { padding: 1 }, true),
    '3x3 without padding': convolution([2, 16, 5, 6], [3, 16, 3, 3], {}),
    '3x3 with padding 3': convolution([2, 16, 3, 4], [3, 16, 3, 3], { padding: 3 }),
    '3x3 with stride 2': convolution([2, 16, 6, 6], [3, 16, 3, 3], { padding: 1, stride: 2 }),
    '3x3 with stride 2 on an odd map': convolution([2, 3, 5, 7], [4, 3, 3, 3], { padding: 1, stride: 2 }),
    '3x3 with dilation 2': convolution([2, 16, 6, 5], [3, 16, 3, 3], { padding: 2, dilation: 2 }),
    '1x1': convolution([2, 16, 3, 3], [5, 16, 1, 1], {}),
    '1x1 with stride 2': convolution([2, 16, 5, 4], [5, 16, 1, 1], { stride: 2 }),
    '5x5': convolution([2, 16, 6, 5], [3, 16, 5, 5], { padding: 2 }),
    '4x4 with stride 2, for halving': convolution([2, 3, 6, 8], [4, 3, 4, 4], { padding: 1, stride: 2 }),
    '2x3 with strides 2 and 1': convolution([2, 3, 6, 5], [4, 3, 2, 3], { padding: [1, 0], stride: [2, 1] }),
    '3x3 in 2 groups': convolution([2, 4, 5, 4], [6, 2, 3, 3], { padding: 1, groups: 2 }, true),
    '3x3 depthwise with stride 2': convolution([2, 4, 6, 5], [4, 1, 3, 3], { padding: 1, groups: 4, stride: 2 }),
  },
  maxPool: {
    '2x2': unary((x) => ops.maxPool(x, { kernel: 2 }), distinct([2, 2, 4, 4])),
    '2x2 with a border left out': unary((x) => ops.maxPool(x, { kernel: 2 }), distinct([2, 2, 5, 3])),
    '3x3, overlapping': unary((x) => ops.maxPool(x, { kernel: 3, stride: 2, padding: 1 }), distinct([2, 1, 5, 6])),
    '2x3 with strides 1 and 2': unary(
      (x) => ops.maxPool(x, { kernel: [2, 3], stride: [1, 2], padding: [0, 1] }),
      distinct([2, 1, 4, 6]),
    ),
  },
  avgPool: {
    '2x2': unary((x) => ops.avgPool(x, 2), between(-2, 2, [2, 3, 4, 6])),
    '2x2 with a border left out': unary((x) => ops.avgPool(x, 2), between(-2, 2, [2, 3, 5, 3])),
    '3x3, overlapping': unary((x) => ops.avgPool(x, 3, { stride: 2, padding: 1 }), between(-2, 2, [2, 2, 5, 6])),
    '2x3 with strides 1 and 2': unary(
      (x) => ops.avgPool(x, [2, 3], { stride: [1, 2], padding: [0, 1] }),
      between(-2, 2, [2, 2, 4, 6]),
    ),
  },
  adaptiveAvgPool: {
    even: unary((x) => ops.adaptiveAvgPool(x, 2), between(-2, 2, [2, 2, 4, 4])),
    'overlapping bins': unary((x) => ops.adaptiveAvgPool(x, 3), between(-2, 2, [2, 2, 5, 4])),
  },
  globalAvgPool: { '': unary(ops.globalAvgPool, x4) },
  batchNorm: {
    maps: normalization(ops.batchNorm, [4, 3, 3, 2]),
    vectors: normalization(ops.batchNorm, [8, 5]),
  },
  batchNormEval: {
    maps: normalization(ops.batchNormEval, [4, 3, 3, 2]),
    vectors: normalization(ops.batchNormEval, [8, 5]),
  },
  softmax: {
    rows: unary((x) => ops.softmax(x)),
    channels: unary((x) => ops.softmax(x, 1), x4),
  },
  logSoftmax: {
    rows: unary((x) => ops.logSoftmax(x)),
    channels: unary((x) => ops.logSoftmax(x, 1), x4),
  },
  oneHot: {},
  ...modernOperators,
  detach: {},
  reverseGradient: {},
};

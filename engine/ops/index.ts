/**
 * The differentiable operators. Each is in the file of its family, with its forward rule next to its gradient. All take
 * tensors of one graph, append nodes to it and return the result; a shape that does not fit is an error that names it.
 */
export {
  abs,
  add,
  clip,
  cos,
  detach,
  div,
  erf,
  exp,
  log,
  maximum,
  minimum,
  mul,
  neg,
  pow,
  reciprocal,
  reverseGradient,
  sin,
  smoothL1,
  sqrt,
  square,
  sub,
  where,
} from './elementwise';
export {
  elu,
  gelu,
  geluTanh,
  hardSigmoid,
  hardSwish,
  leakyRelu,
  mish,
  prelu,
  relu,
  relu6,
  sigmoid,
  silu,
  softplus,
  tanh,
} from './activation';
export { logSumExp, max, mean, min, norm2, sum, sumSquare } from './reduce';
export {
  channelShuffle,
  concat,
  depthToSpace,
  expand,
  flatten,
  gather,
  pad,
  padEdges,
  resample,
  reshape,
  slice,
  spaceToDepth,
  tile,
  transpose,
  upsample,
} from './shape';
export { einsum } from './einsum';
export { linear, matmul, matmulTransposed } from './matmul';
export { conv2d, convTranspose2d } from './conv';
export { adaptiveAvgPool, avgPool, globalAvgPool, maxPool } from './pool';
export { batchNorm, batchNormEval, channelNorm, groupNorm, layerNorm, lpNorm, rmsNorm } from './normalization';
export { logSoftmax, oneHot, softmax } from './softmax';

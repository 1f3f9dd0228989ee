/**
 * The differentiable operators. Each stands in the file of its family with its forward rule beside its gradient. All take
 * tensors of one graph, append nodes to it and return the result; a shape that does not fit is an error that names it.
 */
export { abs, add, detach, div, exp, log, mul, neg, reverseGradient, smoothL1, sqrt, square, sub } from './elementwise';
export { leakyRelu, relu, relu6, sigmoid, softplus, tanh } from './activation';
export { max, mean, sum, sumSquare } from './reduce';
export { channelShuffle, concat, flatten, pad, reshape, slice, transpose, upsample } from './shape';
export { linear, matmul, matmulTransposed } from './matmul';
export { conv2d } from './conv';
export { adaptiveAvgPool, avgPool, globalAvgPool, maxPool } from './pool';
export { batchNorm, batchNormEval } from './normalization';
export { logSoftmax, oneHot, softmax } from './softmax';

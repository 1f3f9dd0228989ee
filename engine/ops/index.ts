/** The operators: each stands in its family's file with its forward rule and its gradient rule side by side. */
export { abs, add, detach, div, exp, log, mul, neg, reverseGradient, smoothL1, sqrt, square, sub } from './elementwise';
export { leakyRelu, relu, relu6, sigmoid, softplus, tanh } from './activation';
export { max, mean, sum, sumSquare } from './reduce';
export { channelShuffle, concat, flatten, pad, reshape, slice, transpose, upsample } from './shape';
export { linear, matmul, matmulTransposed } from './matmul';
export { conv2d } from './conv';
export { adaptiveAvgPool, avgPool, globalAvgPool, maxPool } from './pool';
export { batchNorm, batchNormEval } from './normalization';
export { logSoftmax, oneHot, softmax } from './softmax';

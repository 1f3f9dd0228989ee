/** Matrix products. */
import type { Value } from '../value';
import { float, input, integer, plain, type Call, type Kernels } from './kernel';

/** a · b in the last two axes, each transposed there first if `transA` or `transB` is set, times alpha. */
function product(call: Call): Value {
  const { tf, node } = call;
  const [transA, transB] = [integer(node, 'transA', 0) === 1, integer(node, 'transB', 0) === 1];
  const y = tf.matMul(input(call, 0).plain, input(call, 1).plain, transA, transB);
  const alpha = float(node, 'alpha', 1);
  return plain(call, alpha === 1 ? y : tf.mul(y, alpha));
}

/** The product plus beta · c, if there is a third input c. */
function gemm(call: Call): Value {
  const { tf, node, inputs } = call;
  const y = product(call);
  if (!inputs[2]) return y;
  const beta = float(node, 'beta', 1);
  const c = inputs[2].plain;
  return plain(call, tf.add(y.plain, beta === 1 ? c : tf.mul(c, beta)));
}

/** MatMul, FusedMatMul, Gemm, by ONNX's names. */
export const matmulKernels: Kernels = { MatMul: product, 'com.microsoft.FusedMatMul': product, Gemm: gemm };

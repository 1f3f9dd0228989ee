/** Matrix products. */
import { broadcastShape, sameShape } from '../../../shape';
import type { Tensor, Tf } from '../package';
import type { Value } from '../value';
import { float, input, integer, plain, type Call, type Kernels } from './kernel';

/** a · b in the last two axes, each transposed there first if `transA` or `transB` is set, times alpha. */
function product(call: Call): Value {
  const { tf, node } = call;
  const [transA, transB] = [integer(node, 'transA', 0) === 1, integer(node, 'transB', 0) === 1];
  const [a, b] = withEqualFronts(tf, input(call, 0).plain, input(call, 1).plain);
  const y = tf.matMul(a, b, transA, transB);
  const alpha = float(node, 'alpha', 1);
  return plain(call, alpha === 1 ? y : tf.mul(y, alpha));
}

/** Two tensors whose axes before the last two are broadcast to each other: tf.matMul broadcasts in its result's shape alone. */
function withEqualFronts(tf: Tf, a: Tensor, b: Tensor): [Tensor, Tensor] {
  const [ofA, ofB] = [a.shape.slice(0, -2), b.shape.slice(0, -2)];
  if (sameShape(ofA, ofB)) return [a, b];
  const front = broadcastShape('MatMul', ofA, ofB);
  const spread = (x: Tensor) => tf.broadcastTo(x, [...front, ...x.shape.slice(-2)]);
  return [spread(a), spread(b)];
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

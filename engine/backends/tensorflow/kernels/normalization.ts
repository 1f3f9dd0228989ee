/** Normalization: by given statistics, and softmax. */
import type { Tensor } from '../package';
import { channelsLast, range, Value } from '../value';
import { float, fromStart, input, integer, plain, type Call, type Kernels } from './kernel';

/** (x − μ) / √(σ² + ε) · γ + β  =  x · a + (β − μ · a) with a = γ / √(σ² + ε), per channel. */
function batchNormalization(call: Call): Value {
  const { tf, node } = call;
  const x = input(call, 0);
  const [gamma, beta, mean, variance] = [1, 2, 3, 4].map((i) => input(call, i).plain) as [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  const slope = tf.div(gamma, tf.sqrt(tf.add(variance, float(node, 'epsilon', 1e-5))));
  const offset = tf.sub(beta, tf.mul(mean, slope));
  const last = channelsLast(x.rank);
  if (x.has(last)) return new Value(tf, tf.add(tf.mul(x.inOrder(last), slope), offset), last);
  const column = (values: Tensor) => tf.reshape(values, [values.size, ...range(x.rank - 2).map(() => 1)]);
  return plain(call, tf.add(tf.mul(x.plain, column(slope)), column(offset)));
}

/** x − max x along the axis, which no exponential of overflows, and Σ exp of it. */
function shifted(call: Call): { x: Tensor; sum: Tensor } {
  const { tf, node } = call;
  const value = input(call, 0);
  const axis = fromStart(integer(node, 'axis', -1), value.rank);
  const x = tf.sub(value.plain, tf.max(value.plain, axis, true));
  return { x, sum: tf.sum(tf.exp(x), axis, true) };
}

/** BatchNormalization, Softmax, LogSoftmax, by ONNX's names. */
export const normalizationKernels: Kernels = {
  BatchNormalization: batchNormalization,
  Softmax: (call) => {
    const { x, sum } = shifted(call);
    return plain(call, call.tf.div(call.tf.exp(x), sum));
  },
  LogSoftmax: (call) => {
    const { x, sum } = shifted(call);
    return plain(call, call.tf.sub(x, call.tf.log(sum)));
  },
};

/** The loss of a classifier alone. */
import { logSoftmax, mean, mul, neg, sum } from '../../engine/ops';
import type { Tensor } from '../../engine/tensor';

/** CE = −mean_n Σ_c t_nc · ln softmax(z_n)_c  for logits z (N, C) and targets t (N, C), one-hot for a label. */
export function crossEntropy(logits: Tensor, targets: Tensor): Tensor {
  return neg(mean(sum(mul(logSoftmax(logits), targets), { axes: [1] })));
}

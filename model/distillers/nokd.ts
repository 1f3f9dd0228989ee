/** A student alone: cross-entropy with the labels. */
import { logSoftmax, mean, mul, neg, sum } from '../../engine/ops';
import type { Tensor } from '../../engine/tensor';
import type { Distiller } from './distiller';

/** CE = −mean_n Σ_c t_nc · ln softmax(z_n)_c  for logits z (N, C) and targets t (N, C), one-hot for a label. */
export function crossEntropy(logits: Tensor, targets: Tensor): Tensor {
  return neg(mean(sum(mul(logSoftmax(logits), targets), { axes: [1] })));
}

export const nokd: Distiller = {
  title: 'Cross-entropy with the labels alone',
  options: {},
  needsTeacher: false,
  losses: () => ({}),
};

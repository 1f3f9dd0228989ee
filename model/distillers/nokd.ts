/** A student alone: cross-entropy with the labels. */
import { logSoftmax, mean, mul, neg, oneHot, sum } from '../../engine/ops';
import type { Tensor } from '../../engine/tensor';
import type { Distiller } from './distiller';

/** CE = −mean_n ln softmax(z_n)[y_n]  for logits z (N, C) and labels y (N). */
export function crossEntropy(logits: Tensor, labels: Tensor): Tensor {
  const target = oneHot(labels, logits.shape[1]!);
  return neg(mean(sum(mul(logSoftmax(logits), target), { axes: [1] })));
}

export const nokd: Distiller = {
  needsTeacher: false,
  losses: ({ student, labels }) => ({ ce: crossEntropy(student.logits, labels) }),
};

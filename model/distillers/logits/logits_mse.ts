/** Do deep nets really need to be deep? (Ba & Caruana 2014): regression on the teacher's logits. */
import { mean, mul, square, sub } from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import type { Distiller } from '../distiller';

/** Σ (z_s − z_t)² / (N C), logits (N, C). There is no temperature. */
export function logitsMseLoss(student: Tensor, teacher: Tensor): Tensor {
  return mean(square(sub(student, teacher)));
}

/** α · CE + (1 − α) · MSE. HERE ALPHA WEIGHTS THE HARD TERM, unlike in kd. */
export const logitsMse: Distiller = {
  title: 'Logit regression: α · CE + (1 − α) · MSE; ALPHA WEIGHTS THE LABELS, unlike in kd (Ba & Caruana 2014)',
  options: {},
  needsTeacher: true,
  includesCrossEntropy: true,
  losses: ({ student, teacher, crossEntropy, alpha }) => ({
    ce: mul(crossEntropy(student.logits), alpha),
    mse: mul(logitsMseLoss(student.logits, teacher.logits), 1 - alpha),
  }),
};

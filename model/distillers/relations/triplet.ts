/**
 * The cosine distance of logits beside the soft term: what the mode "triplet" of Chahal's distiller (2020) minimizes.
 * It is no triplet loss: there are no anchors and no negatives.
 */
import { mean, mul, sub } from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import { cosine } from '../cosine';
import type { Distiller } from '../distiller';
import { kdLoss } from '../logits/kd';

/** mean_n (1 − cos(z_s, z_t)), logits (N, C). */
export function cosineLoss(student: Tensor, teacher: Tensor): Tensor {
  return mean(sub(1, cosine(student, teacher)));
}

/** (1 − α) · (1 − cos) + α · T² · KL. The labels do not count; with them it is ["kd", "triplet"]. */
export const triplet: Distiller = {
  title: 'A cosine loss of logits, no triplet loss: (1 − α) · (1 − cos) + α · T² · KL, without labels (Chahal 2020)',
  options: {},
  needsTeacher: true,
  includesCrossEntropy: true,
  losses: ({ student, teacher, alpha, temperature, klReduction }) => ({
    cosine: mul(cosineLoss(student.logits, teacher.logits), 1 - alpha),
    kd: mul(kdLoss(student.logits, teacher.logits, temperature, klReduction), alpha),
  }),
};

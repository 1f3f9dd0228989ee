/** Soft targets alone (Hinton, Vinyals & Dean 2015): the labels do not count, so the images need none. */
import { mul } from '../../../engine/ops/index';
import type { Distiller } from '../distiller';
import { kdLoss } from './kd';

export interface UnlabeledOptions {
  readonly weight: number;
}

/** weight · T² · KL; the accuracies that are reported still come from labels. */
export const unlabeled: Distiller<UnlabeledOptions> = {
  title: 'Soft targets alone: T² · KL(teacher ‖ student), no labels (Hinton, Vinyals & Dean 2015)',
  options: { weight: { type: 'number', exclusiveMinimum: 0, default: 1, title: 'factor of the loss' } },
  needsTeacher: true,
  includesCrossEntropy: true,
  losses: ({ student, teacher, temperature, klReduction, options }) => ({
    kd: mul(kdLoss(student.logits, teacher.logits, temperature, klReduction), options.weight),
  }),
};

/**
 * Distillation on two views of each image (unsupervised data augmentation, Xie et al. 2020, as in
 * karanchahal/distiller).
 */
import { add, mul } from '../../../engine/ops/index';
import type { Distiller } from '../distiller';
import { kdLoss } from './kd';

export interface UdaOptions {
  readonly policy: string;
}

/**
 * ½ · KD(x) + ½ · KD(x'), KD = (1 − α) · CE + α · T² · KL, where x is the image as `augmentation` of params.json shows it,
 * and x' the stored image seen through `policy`. The student's batch normalization sees both, one after the other.
 */
export const uda: Distiller<UdaOptions> = {
  title: "Soft targets on two views: ½ · KD(x) + ½ · KD(x'), x' by AutoAugment (after Xie et al. 2020)",
  options: {
    policy: {
      enum: ['autoaugment', 'randaugment', 'crop+flip', 'crop+flip+autoaugment', 'crop+flip+cutout'],
      default: 'autoaugment',
      title: 'augmentation of the stored image for the second view',
    },
  },
  needsTeacher: true,
  needsViews: true,
  includesCrossEntropy: true,
  losses: (setting) => {
    const { crossEntropy, alpha, temperature, klReduction, options } = setting;
    const both = [setting, setting.view(options.policy)];
    const hard = both.map(({ student }) => crossEntropy(student.logits)).reduce(add);
    const soft = both
      .map(({ student, teacher }) => kdLoss(student.logits, teacher.logits, temperature, klReduction))
      .reduce(add);
    return { ce: mul(hard, (1 - alpha) / 2), kd: mul(soft, alpha / 2) };
  },
};

/** Class-wise self-distillation (Yun, Park, Lee & Shin 2020, CVPR, "Regularizing class-wise predictions via self-knowledge distillation"). */
import { detach, mul } from '../../../engine/ops/index';
import { CLASSMATE } from '../../data/classmates';
import type { Distiller } from '../distiller';
import { kdLoss } from '../logits/kd';

export interface CskdOptions {
  readonly weight: number;
  readonly temperature: number;
  readonly policy: string;
}

/**
 * CE(x) + λ · T² · KL(p(x') ‖ p(x)), x' another image of the class of x, drawn anew in each epoch; p(x') is a constant. As with
 * the authors (alinlab/cs-kd) the student's batch normalization sees both, and labels count for x alone. There x' may be x.
 */
export const cskd: Distiller<CskdOptions> = {
  title:
    "Without a teacher: CE + λ · T² · KL(p(x') ‖ p(x)), x' another image of the class of x (Yun et al. 2020, CVPR)",
  options: {
    weight: { type: 'number', minimum: 0, default: 1, title: 'λ, weight of this loss' },
    temperature: { type: 'number', exclusiveMinimum: 0, default: 4, title: 'T, temperature' },
    policy: {
      enum: ['crop+flip', 'flip', 'random_resized_crop+flip', 'autoaugment', 'randaugment'],
      default: 'crop+flip',
      title: 'augmentation of the other image',
    },
  },
  needsTeacher: false,
  needsViews: true,
  losses: (setting) => {
    const { weight, temperature, policy } = setting.options;
    const other = detach(setting.view(CLASSMATE + policy).student.logits);
    return { cskd: mul(kdLoss(setting.student.logits, other, temperature, 'batchmean'), weight) };
  },
};

/**
 * Distillation through a token (Touvron, Cord, Douze, Massa, Sablayrolles & Jégou 2021, "Training data-efficient image transformers &
 * distillation through attention"): the teacher teaches a classifier of its own, the labels the other.
 */
import { mul, oneHot } from '../../../engine/ops/index';
import { argmax } from '../../../engine/ops/softmax';
import { UserError } from '../../../utils/errors';
import { crossEntropy } from '../../nets/cross_entropy';
import type { FeatureMaps } from '../../nets/feature_maps';
import type { Distiller } from '../distiller';
import { kdLoss } from './kd';

export interface DeitOptions {
  readonly type: 'hard' | 'soft';
  readonly alpha: number;
}

/** The classifiers of the class token and of the distillation token. */
const CLASSIFIERS = ['logits_class', 'logits_distilled'] as const;

/**
 * (1 − α) · CE(z, y) + α · D, z being the logits of the class token and z' those of the distillation token, and for a teacher z_t
 *   hard: D = CE(z', argmax z_t)
 *   soft: D = T² · KL(softmax(z_t / T) ‖ softmax(z' / T)), divided by the number of classes too for "kl_reduction": "mean", as
 *         facebookresearch/deit has it
 */
export const deit: Distiller<DeitOptions> = {
  title: "A distillation token learns the teacher's decision, the class token the labels (Touvron et al. 2021, ICML)",
  options: {
    type: {
      enum: ['hard', 'soft'],
      default: 'hard',
      title: 'what the distillation token learns: the class that the teacher chooses, or its soft targets',
    },
    alpha: { type: 'number', minimum: 0, maximum: 1, default: 0.5, title: 'α, weight of the distillation token' },
  },
  needsTeacher: true,
  includesCrossEntropy: true,
  exampleStudent: 'deit_tiny',
  losses: (setting) => {
    const { student, teacher, crossEntropy: labelled, classes, options } = setting;
    const { type, alpha } = options;
    const [own, taught] = classifiersOf(student).map((name) => student.get(name));
    const distilled =
      type === 'hard'
        ? crossEntropy(taught!, oneHot(argmax(teacher.logits), classes))
        : kdLoss(taught!, teacher.logits, setting.temperature, setting.klReduction);
    return { ce: mul(labelled(own!), 1 - alpha), deit: mul(distilled, alpha) };
  },
};

function classifiersOf(student: FeatureMaps): readonly string[] {
  if (CLASSIFIERS.every((name) => student.names.includes(name))) return CLASSIFIERS;
  throw new UserError('"method" deit trains a distillation token: "model_version" must be deit_tiny or deit_small');
}

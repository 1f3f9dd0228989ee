/** Zero-shot transfer (Micaelli & Storkey 2019, NeurIPS, "Zero-shot knowledge transfer via adversarial belief matching"). */
import { add, mul, neg } from '../../../engine/ops/index';
import type { Distiller } from '../distiller';
import { attentionLoss } from '../features/at';
import { kdLoss } from '../logits/kd';
import { layerOptions, layerPairs, sameSize, type LayerOptions } from '../pairs';
import { gameOptions, turns, type Game, type GameOptions } from './generator';

interface ZsktOptions extends GameOptions, LayerOptions {
  readonly attention_weight: number;
}

const game: Game<ZsktOptions> = {
  method: 'zskt',
  ending: 'batchNorm',
  keepsNoise: true,
  generator: (images, context) => {
    const [student, teacher] = [context.studentOn(images, 'train'), context.teacherOn(images)];
    return { generator: neg(kdLoss(student.logits, teacher.logits, 1, context.klReduction)) };
  },
  student: (images, context) => {
    const { options, klReduction } = context;
    const { attention_weight: weight } = options;
    const [student, teacher] = [context.studentOn(images, 'train'), context.teacherOn(images)];
    const apart = () =>
      layerPairs({ student, teacher, options })
        .map((pair) => attentionLoss(...sameSize(pair), 2))
        .reduce(add);
    return {
      student: kdLoss(student.logits, teacher.logits, 1, klReduction),
      ...(weight > 0 && { attention: mul(apart(), weight) }),
    };
  },
};

/**
 * The generator's turn: min −D; the student's: min D + β · Σ_l mean (q_s − q_t)², D = KL(p_t ‖ p_s), q the attention maps of `at`.
 * All steps of a round make images of the same noise; neither images nor labels of the data set are looked at. The student
 * normalizes by the batch in both turns. Defaults are the authors' (polo5/ZeroShotKnowledgeTransfer), whose D is the mean over
 * classes, too: "kl_reduction": "mean". They train both by Adam, at 0.001 and 0.002, with batches of 128 and "clip_norm": 5.
 */
export const zskt: Distiller<ZsktOptions> = {
  title:
    'No data: a generator seeks images of large KL(teacher ‖ student), the student matches attention maps as well (Micaelli & Storkey 2019, NeurIPS)',
  options: {
    attention_weight: { type: 'number', minimum: 0, default: 250, title: 'β, weight of the attention maps' },
    ...gameOptions({ noise_dim: 100, generator_steps: 1, student_steps: 10 }),
    ...layerOptions,
  },
  needsTeacher: true,
  phases: (options) => turns(game, options),
};

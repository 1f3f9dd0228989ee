/** DAFL (Chen et al. 2019, ICCV, "Data-free learning of student networks"). */
import { abs, div, log, logSoftmax, mean, mul, neg, oneHot, softmax, sum } from '../../../engine/ops/index';
import { argmax } from '../../../engine/ops/softmax';
import type { Tensor } from '../../../engine/tensor';
import type { Distiller } from '../distiller';
import { kdLoss } from '../logits/kd';
import { gameOptions, turns, type Game, type GameOptions } from './generator';

interface DaflOptions extends GameOptions {
  readonly one_hot_weight: number;
  readonly information_weight: number;
  readonly activation_weight: number;
}

/** −mean_n ln max_c softmax(z_n)_c: images should be of a class without doubt. */
function oneHotLoss(logits: Tensor): Tensor {
  const chosen = oneHot(argmax(logits), logits.shape[1]!);
  return neg(mean(sum(mul(logSoftmax(logits), chosen), { axes: [1] })));
}

/** Σ_c p̄_c log₁₀ p̄_c of the mean of the predictions: the classes should be equally frequent. */
function informationLoss(logits: Tensor): Tensor {
  const p = mean(softmax(logits), { axes: [0] });
  return div(sum(mul(p, log(p))), Math.LN10);
}

const game: Game<DaflOptions> = {
  method: 'dafl',
  generator: (images, context) => {
    const { logits, pooled } = context.teacherOn(images);
    const { one_hot_weight, information_weight, activation_weight } = context.options;
    return {
      one_hot: mul(oneHotLoss(logits), one_hot_weight),
      information: mul(informationLoss(logits), information_weight),
      activation: mul(mean(abs(pooled)), -activation_weight),
    };
  },
  student: (images, context) => ({
    student: kdLoss(context.studentOn(images, 'train').logits, context.teacherOn(images).logits, 1, 'batchmean'),
  }),
  keepsNoise: true,
};

/**
 * The generator's turn: min a · one-hot + b · information − c · mean |f_t|, f_t the vectors that the teacher's classifier sees.
 * The student's turn: min KL(p_t ‖ p_s) on images of the same noise; neither images nor labels of the data set are looked at.
 * Weights are the authors' for CIFAR-10 (huawei-noah/Efficient-Computing); for CIFAR-100 0.5, 20 and 0.1, both with batches of
 * 1,024. They take both steps at once; the 0.8 of their BatchNorm, an ε by its place, is left out.
 */
export const dafl: Distiller<DaflOptions> = {
  title:
    'No data: a generator makes images that the teacher is sure of, of all classes; the student matches it on them (Chen et al. 2019, ICCV)',
  options: {
    one_hot_weight: {
      type: 'number',
      minimum: 0,
      default: 0.05,
      title: 'a, weight of the one-hot loss: each image has one class',
    },
    information_weight: {
      type: 'number',
      minimum: 0,
      default: 5,
      title: 'b, weight of the information entropy: classes are equally frequent',
    },
    activation_weight: { type: 'number', minimum: 0, default: 0.01, title: "c, weight of the teacher's activations" },
    ...gameOptions({ noise_dim: 1000, generator_steps: 1, student_steps: 1 }),
  },
  needsTeacher: true,
  phases: (options) => turns(game, options),
};

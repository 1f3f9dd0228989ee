/** Revisiting knowledge distillation via label smoothing regularization (Yuan, Tay, Li, Wang & Feng 2020): Tf-KD_reg. */
import { add, div, logSoftmax, mul, softmax, sub, sum } from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import type { Distiller } from '../distiller';

/**
 * mean_n KL(softmax(u / T) ‖ softmax(z)) for logits z (N, C) and the virtual teacher u = a for the true class and
 * (1 − a) / (C − 1) for each other, from targets (N, C). As in the authors' code the student has no temperature.
 */
function virtualTeacherLoss(logits: Tensor, targets: Tensor, correct: number, temperature: number): Tensor {
  const [batch = 1, classes = 1] = logits.shape;
  const other = (1 - correct) / (classes - 1);
  const virtual = div(add(mul(targets, correct - other), other), temperature);
  const divergence = mul(softmax(virtual), sub(logSoftmax(virtual), logSoftmax(logits)));
  return mul(sum(divergence), 1 / batch);
}

export interface TfKdOptions {
  readonly alpha: number;
  readonly temperature: number;
  readonly correct_probability: number;
}

/** (1 − α) · CE + α · KL, with an alpha and a temperature of its own. */
export const tfkd: Distiller<TfKdOptions> = {
  title: 'Without a teacher: (1 − α) · CE + α · KL(virtual teacher ‖ student) (Yuan et al. 2020)',
  options: {
    alpha: { type: 'number', minimum: 0, maximum: 1, default: 0.1, title: 'weight of the virtual teacher' },
    temperature: { type: 'number', exclusiveMinimum: 0, default: 20, title: 'temperature of the virtual teacher' },
    correct_probability: {
      type: 'number',
      exclusiveMinimum: 0,
      exclusiveMaximum: 1,
      default: 0.99,
      title: 'probability that the virtual teacher assigns to the true class, before its temperature',
    },
  },
  needsTeacher: false,
  includesCrossEntropy: true,
  losses: ({ student, targets, crossEntropy, options }) => {
    const { alpha, temperature, correct_probability: correct } = options;
    return {
      ce: mul(crossEntropy(student.logits), 1 - alpha),
      virtual: mul(virtualTeacherLoss(student.logits, targets, correct, temperature), alpha),
    };
  },
};

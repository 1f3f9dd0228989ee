/** Curriculum temperature (Li, Li, Yang, Zhao, Song, Luo, Li & Yang 2023, AAAI, "Curriculum temperature for knowledge distillation"). */
import { constant } from '../../../engine/initializers';
import { add, div, mul, reverseGradient, sigmoid, square } from '../../../engine/ops/index';
import type { StepContext } from '../../../engine/step_context';
import type { Distiller } from '../distiller';
import { kdLoss } from './kd';

export interface CtkdOptions {
  readonly start: number;
  readonly range: number;
  readonly epochs: number;
}

/** ½ (1 − cos(π · min(epoch / epochs, 1))): 0 at first, 1 after so many epochs. */
function difficulty(epochs: number, { epoch }: Pick<StepContext, 'epoch'>): number {
  return 0.5 * (1 - Math.cos(Math.PI * Math.min(epoch / epochs, 1)));
}

/**
 * (1 − α) · CE + α · τ² · KL(softmax(z_t / τ) ‖ softmax(z_s / τ)) with τ = start + range · σ(θ). θ, which begins at 1, is trained
 * by the same optimizer to make the loss larger: its gradient is turned round, and counts more as training goes on.
 * This is the global temperature of the paper and of its code (zhengli97/CTKD), not the one of each example.
 */
export const ctkd: Distiller<CtkdOptions> = {
  title:
    'Soft targets at a temperature that learns to make them hard: (1 − α) · CE + α · τ² · KL (Li et al. 2023, AAAI)',
  options: {
    start: { type: 'number', exclusiveMinimum: 0, default: 1, title: 'lowest temperature' },
    range: { type: 'number', minimum: 0, default: 20, title: 'range of the temperature above the start' },
    epochs: {
      type: 'integer',
      minimum: 1,
      default: 10,
      title: 'epochs until the reversed gradient has its full weight',
    },
  },
  needsTeacher: true,
  includesCrossEntropy: true,
  losses: ({ student, teacher, layers, crossEntropy, alpha, klReduction, options }) => {
    const { start, range, epochs } = options;
    const factor = layers.graph.hostScalar('distiller.ctkd.difficulty', (context) => difficulty(epochs, context));
    const theta = layers.parameter('theta', [], constant(1));
    const tau = add(mul(sigmoid(reverseGradient(theta, factor)), range), start);
    const soft = kdLoss(div(student.logits, tau), div(teacher.logits, tau), 1, klReduction);
    return { ce: mul(crossEntropy(student.logits), 1 - alpha), kd: mul(mul(soft, square(tau)), alpha) };
  },
};

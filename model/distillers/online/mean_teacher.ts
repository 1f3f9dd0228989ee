/** Mean teacher (Tarvainen & Valpola 2017, NeurIPS, "Mean teachers are better role models"). */
import { detach, mul, softmax } from '../../../engine/ops/index';
import type { StepContext } from '../../../engine/step_context';
import type { Distiller } from '../distiller';
import { meanSquaredError } from '../relations/vectors';
import { rampUp } from './one';

export interface MeanTeacherOptions {
  readonly weight: number;
  readonly decay: number;
  readonly ramp_up: number;
  readonly policy: string;
}

/** Share of the old average at a step: the mean of all weights so far until that is `most`. Micro-batches move it once. */
export function averageDecay(most: number, { step, micro }: Pick<StepContext, 'step' | 'micro'>): number {
  if (micro && !micro.isFirst) return 1;
  return Math.min(1 - 1 / (micro?.update ?? step), most);
}

/**
 * CE + β · w · mean (softmax(z) − softmax(z̄))², z̄ of the same images seen through `policy`, by the student with the moving
 * averages of its weights; it normalizes by the batch, too. w grows to 1 over epochs. Defaults are the authors' for 4,000
 * labels of CIFAR-10 (CuriousAI/mean-teacher), where the image of the student is seen through the same policy. What they
 * evaluate is the average: "ema" of params.json keeps one.
 */
export const meanTeacher: Distiller<MeanTeacherOptions> = {
  title:
    "Without a teacher: CE + β · mean (p − p̄)², p̄ of the student's averaged weights on another view (Tarvainen & Valpola 2017, NeurIPS)",
  options: {
    weight: { type: 'number', minimum: 0, default: 100, title: 'β, weight of this loss' },
    decay: {
      type: 'number',
      minimum: 0,
      exclusiveMaximum: 1,
      default: 0.99,
      title: 'decay of the average; the first steps average all weights equally',
    },
    ramp_up: { type: 'integer', minimum: 0, default: 5, title: 'epochs over which w grows to 1' },
    policy: {
      enum: ['crop+flip', 'flip', 'random_resized_crop+flip', 'autoaugment', 'randaugment'],
      default: 'crop+flip',
      title: 'augmentation of the stored image for the averaged student',
    },
  },
  needsTeacher: false,
  needsViews: true,
  losses: (context) => {
    const { student, layers, options } = context;
    const { weight, decay, ramp_up: epochs, policy } = options;
    const theirs = detach(softmax(context.averaged((step) => averageDecay(decay, step), policy).logits));
    const grown = layers.graph.hostScalar('distiller.mean_teacher.ramp_up', (step) => rampUp(epochs, step));
    return { mean_teacher: mul(mul(meanSquaredError(softmax(student.logits), theirs), grown), weight) };
  },
};

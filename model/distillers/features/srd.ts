/** Simple recipe (Miles & Mikolajczyk 2024, AAAI, "Understanding the role of the projector in knowledge distillation"). */
import { abs, add, div, log, mean, mul, sqrt, square, sub, sum } from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import type { Distiller } from '../distiller';
import { projected } from './connector';

interface SrdOptions {
  readonly weight: number;
  readonly exponent: 1 | 2 | 4;
}

/** Keeps ln and its slope finite where both sides agree. */
const LEAST = 1e-5;

/** (x − μ) / √(σ² + 1e-4) of each column of (N, F), by mean and variance of the batch: BatchNorm without parameters. */
function standardized(x: Tensor): Tensor {
  const overBatch = { axes: [0], keepDims: true };
  const centered = sub(x, mean(x, overBatch));
  return div(centered, sqrt(add(mean(square(centered), overBatch), 1e-4)));
}

/** ln (Σ_nd |s − t|ᵖ + 1e-5) of vectors (N, F) standardized by the batch. */
function logSumLoss(student: Tensor, teacher: Tensor, exponent: SrdOptions['exponent']): Tensor {
  const difference = sub(standardized(student), standardized(teacher));
  const powers = { 1: () => abs(difference), 2: () => square(difference), 4: () => square(square(difference)) };
  return log(add(sum(powers[exponent]()), LEAST));
}

/**
 * Of the vectors that the classifiers see, the student's through a linear layer. The authors add soft targets at temperature 1:
 * ["kd", "srd"]. Defaults are theirs for ImageNet (roymiles/Simple-Recipe-Distillation), where nothing is added inside ln.
 */
export const srd: Distiller<SrdOptions> = {
  title: 'Projected and standardized features: β · ln Σ |f̂_s − f̂_t|ᵖ (Miles & Mikolajczyk 2024, AAAI)',
  options: {
    weight: { type: 'number', minimum: 0, default: 2, title: 'β, weight of this loss' },
    exponent: { enum: [1, 2, 4], default: 4, title: 'p, exponent' },
  },
  needsTeacher: true,
  losses: ({ student, teacher, layers, options: { weight, exponent } }) => {
    const mine = projected(layers, 'projector', student.pooled, teacher.pooled.shape[1]!);
    return { srd: mul(logSumLoss(mine, teacher.pooled, exponent), weight) };
  },
};

/** Probabilistic knowledge transfer (Passalis & Tefas 2018). */
import { add, div, log, mean, mul, sub, sum } from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import type { Distiller } from '../distiller';
import { gram, unit } from './vectors';

interface PktOptions {
  readonly weight: number;
}

/** Added to probabilities whose logarithm is taken, as the authors do. */
const TINY = 1e-7;

/**
 * mean over pairs of t · ln((t + ε) / (s + ε)), where s and t are the probabilities that example j is a neighbor of i:
 * (1 + cos(f_i, f_j)) / 2, divided by its sum over j; features (N, D) and (N, D′).
 */
export function probabilityLoss(student: Tensor, teacher: Tensor): Tensor {
  const probabilities = (x: Tensor) => {
    const similarity = mul(add(gram(unit(x)), 1), 0.5);
    return div(similarity, sum(similarity, { axes: [1], keepDims: true }));
  };
  const [s, t] = [probabilities(student), probabilities(teacher)];
  return mean(mul(t, sub(log(add(t, TINY)), log(add(s, TINY)))));
}

export const pkt: Distiller<PktOptions> = {
  title: 'Probabilistic transfer: β · mean p_t ln(p_t / p_s), p_ij ∝ 1 + cos(f_i, f_j) (Passalis & Tefas 2018)',
  options: { weight: { type: 'number', minimum: 0, default: 30000, title: 'β, weight of this loss' } },
  needsTeacher: true,
  losses: ({ student, teacher, options: { weight } }) => ({
    pkt: mul(probabilityLoss(student.pooled, teacher.pooled), weight),
  }),
};

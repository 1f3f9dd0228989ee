/** Decoupled knowledge distillation (Zhao, Cui, Song, Qiu & Liang 2022). */
import { add, div, exp, mul, oneHot, sub, sum } from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import type { Distiller } from '../distiller';
import { logProbabilities } from './masked';

/**
 * The two parts of T² · KL(p ‖ q), p the teacher's softmax(z / T) and q the student's, for logits (N, C) and the true
 * class y as `mask` (N, C), one-hot; means over the examples:
 *   target    = T² · [ p_y ln(p_y / q_y) + (1 − p_y) ln((1 − p_y) / (1 − q_y)) ]
 *   nonTarget = T² · Σ_{c≠y} p̂_c ln(p̂_c / q̂_c)   with p̂_c = p_c / (1 − p_y)
 * For one example KL = target + (1 − p_y) · nonTarget; decoupled, the second part counts for sure examples too.
 */
export function dkdLosses(
  student: Tensor,
  teacher: Tensor,
  mask: Tensor,
  temperature: number,
): { target: Tensor; nonTarget: Tensor } {
  const p = logProbabilities(div(teacher, temperature), mask);
  const q = logProbabilities(div(student, temperature), mask);
  const meanDivergence = (logP: Tensor, logQ: Tensor) =>
    mul(sum(mul(exp(logP), sub(logP, logQ))), temperature ** 2 / student.shape[0]!);
  return {
    target: add(meanDivergence(p.own, q.own), meanDivergence(p.rest, q.rest)),
    nonTarget: meanDivergence(p.others, q.others),
  };
}

export interface DkdOptions {
  readonly alpha: number;
  readonly beta: number;
  readonly warmup_epochs: number;
}

/** CE + min(epoch / warmup, 1) · (α · target + β · nonTarget). */
export const dkd: Distiller<DkdOptions> = {
  title: 'Decoupled soft targets: CE + α · KL of the true class + β · KL among the others (Zhao et al. 2022)',
  options: {
    alpha: { type: 'number', minimum: 0, default: 1, title: 'weight of the true class against all others' },
    beta: { type: 'number', minimum: 0, default: 8, title: 'weight of the other classes among each other' },
    warmup_epochs: { type: 'integer', minimum: 0, default: 20, title: 'epochs over which both weights grow' },
  },
  needsTeacher: true,
  losses: ({ student, teacher, labels, classes, temperature, options }) => {
    const { alpha, beta, warmup_epochs: warmup } = options;
    const parts = dkdLosses(student.logits, teacher.logits, oneHot(labels, classes), temperature);
    const grown = labels.graph.hostScalar('distiller.dkd.warmup', ({ epoch }) =>
      warmup === 0 ? 1 : Math.min(epoch / warmup, 1),
    );
    return { tckd: mul(parts.target, mul(grown, alpha)), nckd: mul(parts.nonTarget, mul(grown, beta)) };
  },
};

/** Refined logits (Sun, Chen, Chen, Li, Ren & Wang 2024, ICCV 2025, "Knowledge distillation with refined logits"). */
import { indicator } from '../../../engine/ops/activation';
import { add, div, exp, max, mul, oneHot, sub, sum } from '../../../engine/ops/index';
import { argmax } from '../../../engine/ops/softmax';
import type { Tensor } from '../../../engine/tensor';
import type { Distiller } from '../distiller';
import { logProbabilities, logSoftmaxWithout } from './masked';

const BY_EXAMPLE = { axes: [1], keepDims: true };

/**
 * T² · mean_n KL((p_m, 1 − p_m) ‖ (q_y, 1 − q_y)) of softmax(z / T), logits (N, C): how sure the teacher p is of its own
 * class m, the student q is to be of the true class y, one-hot in `mask` (N, C).
 */
function sampleConfidence(student: Tensor, teacher: Tensor, mask: Tensor, temperature: number): Tensor {
  const p = logProbabilities(div(teacher, temperature), oneHot(argmax(teacher), teacher.shape[1]!));
  const q = logProbabilities(div(student, temperature), mask);
  const part = (own: Tensor, other: Tensor) => sum(mul(exp(own), sub(own, other)));
  return mul(add(part(p.own, q.own), part(p.rest, q.rest)), temperature ** 2 / student.shape[0]!);
}

/**
 * T² · mean_n KL(p̂ ‖ q̂), both over those classes alone that the teacher finds less likely than the true one: what it has
 * in the wrong order is not taught. 0 for an example without such classes.
 */
function maskedCorrelation(student: Tensor, teacher: Tensor, mask: Tensor, temperature: number): Tensor {
  const lower = indicator('Greater', sub(sum(mul(teacher, mask), BY_EXAMPLE), teacher), 0);
  const [p, q] = [teacher, student].map((z) => logSoftmaxWithout(div(z, temperature), sub(1, lower)));
  const divergence = mul(mul(exp(p!), sub(p!, q!)), max(lower, BY_EXAMPLE));
  return mul(sum(divergence), temperature ** 2 / student.shape[0]!);
}

export interface RldOptions {
  readonly alpha: number;
  readonly beta: number;
  readonly confidence_temperature: number;
  readonly warmup_epochs: number;
}

/** CE + min(epoch / warmup, 1) · (α · confidence + β · correlation); defaults are the authors' for CIFAR-100 (zju-SWJ/RLD). */
export const rld: Distiller<RldOptions> = {
  title:
    'Refined logits: CE + α · KL of confidence + β · KL among classes below the true one (Sun et al. 2024, ICCV 2025)',
  options: {
    alpha: { type: 'number', minimum: 0, default: 1, title: 'weight of the confidence' },
    beta: {
      type: 'number',
      minimum: 0,
      default: 8,
      title: 'weight of the classes that the teacher ranks below the true one',
    },
    confidence_temperature: { type: 'number', exclusiveMinimum: 0, default: 1, title: 'T of the confidence' },
    warmup_epochs: { type: 'integer', minimum: 0, default: 20, title: 'epochs over which both weights grow' },
  },
  needsTeacher: true,
  losses: ({ student, teacher, labels, classes, temperature, options }) => {
    const { alpha, beta, confidence_temperature: own, warmup_epochs: warmup } = options;
    const mask = oneHot(labels, classes);
    const grown = labels.graph.hostScalar('distiller.rld.warmup', ({ epoch }) =>
      warmup === 0 ? 1 : Math.min(epoch / warmup, 1),
    );
    const confidence = sampleConfidence(student.logits, teacher.logits, mask, own);
    const correlation = maskedCorrelation(student.logits, teacher.logits, mask, temperature);
    return { scd: mul(confidence, mul(grown, alpha)), mcd: mul(correlation, mul(grown, beta)) };
  },
};

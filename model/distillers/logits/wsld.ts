/** Weighted soft labels (Zhou, Song, Chen, Zhou, Wang, Yuan & Zhang 2021, ICLR, "Rethinking soft labels for knowledge distillation"). */
import { add, detach, div, exp, logSoftmax, mul, neg, softmax, sub, sum } from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import type { Distiller } from '../distiller';

const BY_EXAMPLE = { axes: [1], keepDims: true };

/**
 * w_n = 1 − exp(−CE(z_s) / (CE(z_t) + 1e-7)), (N, 1), for logits (N, C) and targets (N, C): an example that the student knows
 * better than the teacher counts little. A constant.
 */
function softLabelWeights(student: Tensor, teacher: Tensor, targets: Tensor): Tensor {
  const [s, t] = [student, teacher].map((logits) => neg(sum(mul(logSoftmax(logits), targets), BY_EXAMPLE)));
  return detach(sub(1, exp(neg(div(s!, add(t!, 1e-7))))));
}

/** −T² · mean_n w_n Σ_c p_c ln q_c of softmax(z / T), p the teacher's and q the student's: a cross-entropy, not 0 at p = q. */
function weightedSoftLoss(student: Tensor, teacher: Tensor, weights: Tensor, temperature: number): Tensor {
  const products = mul(softmax(div(teacher, temperature)), logSoftmax(div(student, temperature)));
  return mul(sum(mul(products, weights)), -(temperature ** 2) / student.shape[0]!);
}

export interface WsldOptions {
  readonly weight: number;
  readonly temperature: number;
}

/** CE + α · soft. Defaults are the authors' for ImageNet (bellymonster); yzd-v/cls_KD has α 2.25 and T 4 for CIFAR-100. */
export const wsld: Distiller<WsldOptions> = {
  title: 'Weighted soft labels: CE + α · T² · w · CE(p_t, p_s), w = 1 − exp(−CE_s / CE_t) (Zhou et al. 2021, ICLR)',
  options: {
    weight: { type: 'number', minimum: 0, default: 2.5, title: 'α, weight of this loss' },
    temperature: { type: 'number', exclusiveMinimum: 0, default: 2, title: 'T, temperature' },
  },
  needsTeacher: true,
  losses: ({ student, teacher, targets, options }) => {
    const weights = softLabelWeights(student.logits, teacher.logits, targets);
    const soft = weightedSoftLoss(student.logits, teacher.logits, weights, options.temperature);
    return { wsld: mul(soft, options.weight) };
  },
};

/** Normalized knowledge distillation (Yang, Zeng, Li, Zhang, Yuan & Li 2023, ICCV, "From knowledge distillation to self-knowledge distillation"). */
import { div, exp, mul, oneHot, softmax, logSoftmax, sum } from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import type { Distiller } from '../distiller';
import { logSoftmaxWithout } from './masked';

/**
 * With p the teacher's softmax and q the student's, for logits (N, C) and the true class y as `mask` (N, C), one-hot; means
 * over the examples:
 *   target    = −p_y ln q_y                  without a temperature
 *   nonTarget = −T² · Σ_{c≠y} p̂_c ln q̂_c     with p̂ and q̂ over the classes other than y, of logits divided by T
 * Both are cross-entropies: they aren't 0 where student and teacher agree, but the gradient of nonTarget is.
 */
function nkdLosses(
  student: Tensor,
  teacher: Tensor,
  mask: Tensor,
  temperature: number,
): { target: Tensor; nonTarget: Tensor } {
  const count = student.shape[0]!;
  const target = mul(mul(softmax(teacher), logSoftmax(student)), mask);
  const [p, q] = [teacher, student].map((logits) => logSoftmaxWithout(div(logits, temperature), mask));
  return {
    target: mul(sum(target), -1 / count),
    nonTarget: mul(sum(mul(exp(p!), q!)), -(temperature ** 2) / count),
  };
}

export interface NkdOptions {
  readonly gamma: number;
  readonly temperature: number;
}

/**
 * CE + target + γ · nonTarget. Defaults are the paper's for ImageNet; its CIFAR-100 has γ 3.5 and T 3
 * (configs/distillers/cifar100 of yzd-v/cls_KD). Where images are mixed, y is the class of the first of them.
 */
export const nkd: Distiller<NkdOptions> = {
  title: 'Normalized soft targets: CE − p_y ln q_y + γ · cross-entropy of the other classes (Yang et al. 2023, ICCV)',
  options: {
    gamma: { type: 'number', minimum: 0, default: 1.5, title: 'γ, weight of the other classes among each other' },
    temperature: { type: 'number', exclusiveMinimum: 0, default: 1, title: 'T of the other classes' },
  },
  needsTeacher: true,
  losses: ({ student, teacher, labels, classes, options }) => {
    const { gamma, temperature } = options;
    const parts = nkdLosses(student.logits, teacher.logits, oneHot(labels, classes), temperature);
    return { target: parts.target, non_target: mul(parts.nonTarget, gamma) };
  },
};

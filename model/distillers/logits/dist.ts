/** Knowledge distillation from a stronger teacher (Huang, You, Wang, Qian & Xu 2022): correlations, not equality. */
import { div, mean, mul, softmax, sub, transpose } from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import { correlation } from '../cosine';
import type { Distiller } from '../distiller';

/**
 * With p = softmax(z / T), logits (N, C), and Pearson's correlation ρ:
 *   inter = T² · (1 − mean_n ρ(p_s[n, :], p_t[n, :]))   between the classes of an example
 *   intra = T² · (1 − mean_c ρ(p_s[:, c], p_t[:, c]))   within a class, between examples
 */
export function distLosses(student: Tensor, teacher: Tensor, temperature: number): { inter: Tensor; intra: Tensor } {
  const [s, t] = [softmax(div(student, temperature)), softmax(div(teacher, temperature))];
  const turned = (p: Tensor) => transpose(p, [1, 0]);
  const distance = (a: Tensor, b: Tensor) => mul(sub(1, mean(correlation(a, b))), temperature ** 2);
  return { inter: distance(s, t), intra: distance(turned(s), turned(t)) };
}

export interface DistOptions {
  readonly beta: number;
  readonly gamma: number;
}

/** CE + β · inter + γ · intra; the temperature of the paper's CIFAR-100 is 4, that of ImageNet 1. */
export const dist: Distiller<DistOptions> = {
  title: 'Correlations: CE + β · inter-class + γ · intra-class distance of soft targets (Huang et al. 2022)',
  options: {
    beta: { type: 'number', minimum: 0, default: 1, title: 'weight of the relations between classes' },
    gamma: { type: 'number', minimum: 0, default: 1, title: 'weight of the relations within a class' },
  },
  needsTeacher: true,
  losses: ({ student, teacher, temperature, options }) => {
    const { inter, intra } = distLosses(student.logits, teacher.logits, temperature);
    return { inter: mul(inter, options.beta), intra: mul(intra, options.gamma) };
  },
};

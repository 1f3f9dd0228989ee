/** Transformed teacher matching (Zheng & Yang 2024, ICLR, "Knowledge distillation based on transformed teacher matching"). */
import { exp, logSoftmax, mul, softmax, sub, sum } from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import type { Distiller } from '../distiller';

/**
 * mean_n w_n · KL(p̃ ‖ q), p̃_c = p_c^γ / Σ_k p_k^γ the transformed softmax p of the teacher and q the student's softmax, which
 * has no temperature, of logits (N, C). p̃ is softmax(γ z_t): γ = 1/T. `weighted` has w_n = Σ_c p_c^γ, the power sum of
 * the teacher, which is larger the less sure it is; otherwise w_n = 1. There is no factor T².
 */
function matchingLoss(student: Tensor, teacher: Tensor, gamma: number, weighted: boolean): Tensor {
  const scaled = mul(teacher, gamma);
  const divergence = mul(softmax(scaled), sub(logSoftmax(scaled), logSoftmax(student)));
  const powers = () => sum(exp(mul(logSoftmax(teacher), gamma)), { axes: [1], keepDims: true });
  return mul(sum(weighted ? mul(divergence, powers()) : divergence), 1 / student.shape[0]!);
}

export interface TtmOptions {
  readonly gamma: number;
  readonly weight: number;
}

function matching(title: string, defaults: TtmOptions, weighted: boolean): Distiller<TtmOptions> {
  return {
    title,
    options: {
      gamma: {
        type: 'number',
        exclusiveMinimum: 0,
        default: defaults.gamma,
        title: "γ, power of the teacher's probabilities: 1 / T",
      },
      weight: { type: 'number', minimum: 0, default: defaults.weight, title: 'β, weight of this loss' },
    },
    needsTeacher: true,
    losses: ({ student, teacher, options }) => ({
      [weighted ? 'wttm' : 'ttm']: mul(
        matchingLoss(student.logits, teacher.logits, options.gamma, weighted),
        options.weight,
      ),
    }),
  };
}

/** Defaults are those of the authors' README (zkxufo/TTM) for vgg13 and vgg8. */
export const ttm = matching(
  'Transformed teacher: CE + β · KL(p_t^γ, normalized ‖ p_s), the student without temperature (Zheng & Yang 2024, ICLR)',
  { gamma: 0.1, weight: 45 },
  false,
);

/** Defaults are those of the authors' README, where the method stands beside `crd`; it has no others. */
export const wttm = matching(
  'Transformed teacher, each example weighted by Σ p_t^γ: CE + β · Σ p_t^γ · KL (Zheng & Yang 2024, ICLR)',
  { gamma: 0.2, weight: 4 },
  true,
);

/** Correlation congruence (Peng et al. 2019). */
import { abs, add, mul, slice, sub, sum } from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import type { Distiller } from '../distiller';
import { gram, meanSquaredError, unit } from './vectors';

interface CcOptions {
  readonly weight?: number;
  readonly variant: 'embedding' | 'kernel';
  readonly dim: number;
  readonly gamma: number;
  readonly order: number;
}

const WEIGHTS = { embedding: 0.02, kernel: 100 };

/** Σ_n δ_n · δ_{n+1} / (N − 1), δ = |s − t| for embeddings s, t (N, D); 0 where N is 1. */
export function successiveLoss(student: Tensor, teacher: Tensor): Tensor {
  const [batch = 0] = student.shape;
  const delta = abs(sub(student, teacher));
  if (batch === 1) return mul(sum(delta), 0);
  const products = mul(slice(delta, 0, 0, batch - 1), slice(delta, 0, 1, batch));
  return mul(sum(products), 1 / (batch - 1));
}

/**
 * ‖K_s − K_t‖² / N² for vectors s (N, D), t (N, D′) at length 1, with the Gaussian kernel by its Taylor series:
 *   exp(−γ ‖a − b‖²) = e^(−2γ) · exp(2γ a·b) ≈ e^(−2γ) · Σ_{p ≤ order} (2γ)ᵖ / p! · (a·b)ᵖ
 */
export function kernelLoss(student: Tensor, teacher: Tensor, gamma: number, order: number): Tensor {
  const kernel = (x: Tensor) => {
    const products = gram(unit(x));
    // Horner's scheme: 1 + (2γ c) / 1 · (1 + (2γ c) / 2 · (1 + …)).
    let series: Tensor | number = 1;
    for (let p = order; p >= 1; p--) series = add(1, mul(mul(products, (2 * gamma) / p), series));
    return mul(series, Math.exp(-2 * gamma));
  };
  return meanSquaredError(kernel(student), kernel(teacher));
}

/**
 * 'embedding' is the form of the authors' code as RepDistiller publishes it: both vectors are embedded by trained linear
 * layers, and errors of successive examples are multiplied. 'kernel' is the formula of the paper.
 */
export const cc: Distiller<CcOptions> = {
  title: 'Correlation congruence: β · mean δ_n · δ_{n+1}, δ = |embedding_s − embedding_t| (Peng et al. 2019)',
  options: {
    weight: { type: 'number', minimum: 0, title: 'β; 0.02 by default, and 100 for the kernel' },
    variant: {
      enum: ['embedding', 'kernel'],
      default: 'embedding',
      title: "the authors' code, or the paper's formula",
    },
    dim: { type: 'integer', minimum: 1, default: 128, title: 'length of the embeddings' },
    gamma: { type: 'number', exclusiveMinimum: 0, default: 0.4, title: 'γ of the kernel exp(−γ ‖a − b‖²)' },
    order: { type: 'integer', minimum: 1, maximum: 10, default: 2, title: "order of the kernel's Taylor series" },
  },
  needsTeacher: true,
  losses: ({ student, teacher, layers, options: { variant, weight = WEIGHTS[variant], dim, gamma, order } }) => {
    const embedded = (name: string, x: Tensor) => layers.linear(name, x, dim);
    const loss =
      variant === 'kernel'
        ? kernelLoss(student.pooled, teacher.pooled, gamma, order)
        : successiveLoss(embedded('student', student.pooled), embedded('teacher', teacher.pooled));
    return { cc: mul(loss, weight) };
  },
};

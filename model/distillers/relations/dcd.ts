/** Discrimination and consistency (Giakoumoglou & Stathaki 2024, arXiv 2407.11802, "Discriminative and consistent representation distillation"). */
import { constant } from '../../../engine/initializers';
import {
  exp,
  logSoftmax,
  matmulTransposed,
  mul,
  neg,
  relu,
  softmax,
  sub,
  sum,
  transpose,
} from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import type { Distiller } from '../distiller';
import { identity, unit } from './vectors';

interface DcdOptions {
  readonly weight: number;
  readonly consistency_weight: number;
  readonly dim: number;
}

/** The most that products are multiplied by. */
const MOST = 10;

/** −mean_n ln softmax(A_n)_n of A (N, N): the student's vector of an image is to find the teacher's of the same image. */
function discriminationLoss(products: Tensor): Tensor {
  const size = products.shape[0]!;
  return neg(mul(sum(mul(logSoftmax(products), identity(products.graph, size))), 1 / size));
}

/** mean_n KL(softmax of column n of A ‖ softmax of row n). */
function consistencyLoss(products: Tensor): Tensor {
  const columns = transpose(products, [1, 0]);
  const difference = sub(logSoftmax(columns), logSoftmax(products));
  return mul(sum(mul(softmax(columns), difference)), 1 / products.shape[0]!);
}

/**
 * β · (discrimination + γ · consistency) of A = min(e^θ, 10) · s tᵀ, with s and t the vectors that the classifiers see, embedded
 * at length 1, and θ trained from 1. Defaults are the authors' (giakoumoglou/distillers); the bias that they add to A as a whole
 * changes no softmax and is left out. As in their code, gradients flow into both sides of the divergence.
 */
export const dcd: Distiller<DcdOptions> = {
  title:
    'Contrast within the batch, the same in both directions: β · (CE + γ · KL) (Giakoumoglou & Stathaki 2024, arXiv)',
  options: {
    weight: { type: 'number', minimum: 0, default: 1, title: 'β, weight of this loss' },
    consistency_weight: { type: 'number', minimum: 0, default: 0.5, title: 'γ, weight of the consistency' },
    dim: { type: 'integer', minimum: 1, default: 128, title: 'length of the embeddings' },
  },
  needsTeacher: true,
  losses: ({ student, teacher, layers, options: { weight, consistency_weight, dim } }) => {
    const s = unit(layers.linear('student', student.pooled, dim));
    const t = unit(layers.linear('teacher', teacher.pooled, dim));
    const theta = layers.parameter('theta', [1], constant(1));
    const scale = exp(sub(theta, relu(sub(theta, Math.log(MOST)))));
    const products = mul(matmulTransposed(s, t), scale);
    return {
      dcd_discrimination: mul(discriminationLoss(products), weight),
      dcd_consistency: mul(consistencyLoss(products), weight * consistency_weight),
    };
  },
};

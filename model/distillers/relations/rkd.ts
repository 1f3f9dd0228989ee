/** Relational knowledge distillation (Park, Kim, Lu & Cho 2019). */
import {
  add,
  div,
  matmulTransposed,
  mean,
  mul,
  reshape,
  smoothL1,
  sqrt,
  sub,
  sum,
  sumSquare,
} from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import type { Distiller } from '../distiller';
import { EPSILON, unit } from './vectors';

interface RkdOptions {
  readonly distance_weight: number;
  readonly angle_weight: number;
}

/** e_j − e_i for all pairs of embeddings (N, D) → (N, N, D). */
export function differences(e: Tensor): Tensor {
  const [batch = 0, dim = 0] = e.shape;
  return sub(reshape(e, [1, batch, dim]), reshape(e, [batch, 1, dim]));
}

/** mean over pairs of smoothL1(d_s − d_t), d = ‖e_j − e_i‖ over its mean for i ≠ j, of differences of embeddings. */
export function distanceLoss(student: Tensor, teacher: Tensor): Tensor {
  return mean(smoothL1(sub(relativeDistances(student), relativeDistances(teacher))));
}

/** mean over triples of smoothL1(a_s − a_t), a_ijk the cosine of the angle at e_i between e_j and e_k. */
export function angleLoss(student: Tensor, teacher: Tensor): Tensor {
  const cosines = (apart: Tensor) => {
    const directions = unit(apart);
    return matmulTransposed(directions, directions);
  };
  return mean(smoothL1(sub(cosines(student), cosines(teacher))));
}

/** Of an example to itself the distance is √ε instead of 0, which no mean sees. */
function relativeDistances(apart: Tensor): Tensor {
  const [batch = 0] = apart.shape;
  const distances = sqrt(add(sumSquare(apart, { axes: [2] }), EPSILON));
  const pairs = Math.max(1, batch * (batch - 1));
  return div(distances, mul(sum(distances), 1 / pairs));
}

/** Of the vectors that the classifiers see. ["kd", "rkd"] adds soft targets, as is usual. */
export const rkd: Distiller<RkdOptions> = {
  title: 'Relations: β_D · distances of pairs + β_A · angles of triples of examples, smooth L1 (Park et al. 2019)',
  options: {
    distance_weight: { type: 'number', minimum: 0, default: 25, title: 'β_D, weight of the distances of pairs' },
    angle_weight: { type: 'number', minimum: 0, default: 50, title: 'β_A, weight of the angles of triples' },
  },
  needsTeacher: true,
  losses: ({ student, teacher, options: { distance_weight, angle_weight } }) => {
    const [s, t] = [differences(student.pooled), differences(teacher.pooled)];
    return {
      ...(distance_weight > 0 && { rkd_distance: mul(distanceLoss(s, t), distance_weight) }),
      ...(angle_weight > 0 && { rkd_angle: mul(angleLoss(s, t), angle_weight) }),
    };
  },
};

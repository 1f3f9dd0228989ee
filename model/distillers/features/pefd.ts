/** Projector ensemble (Chen et al. 2022, NeurIPS, "Improved feature distillation via projector ensemble"). */
import { add, mean, mul, relu, sub } from '../../../engine/ops/index';
import { cosine } from '../cosine';
import type { Distiller } from '../distiller';

interface PefdOptions {
  readonly weight: number;
  readonly projectors: number;
}

/**
 * β · mean_n (1 − cos(f̂, f_t)) with f̂ = mean_k ReLU(W_k f_s + b_k) of the vectors that the classifiers see. Defaults are the
 * authors' (chenyd7/PEFD). The teacher's vectors must not be negative, as they are after a ReLU, for the cosine to reach 1.
 */
export const pefd: Distiller<PefdOptions> = {
  title: 'Features by several projectors: β · mean (1 − cos(mean_k ReLU(W_k f_s), f_t)) (Chen et al. 2022, NeurIPS)',
  options: {
    weight: { type: 'number', minimum: 0, default: 25, title: 'β, weight of this loss' },
    projectors: { type: 'integer', minimum: 1, default: 3, title: 'projectors, each a linear layer and ReLU' },
  },
  needsTeacher: true,
  losses: ({ student, teacher, layers, options: { weight, projectors } }) => {
    const width = teacher.pooled.shape[1]!;
    const projected = Array.from({ length: projectors }, (_, k) =>
      relu(layers.linear(`${k}`, student.pooled, width)),
    ).reduce(add);
    // Their sum has the direction of their mean.
    return { pefd: mul(mean(sub(1, cosine(projected, teacher.pooled))), weight) };
  },
};

/** Instance relationship graphs (Liu et al. 2019, CVPR, "Knowledge distillation via instance relationship graph"). */
import { add, div, flatten, max, maximum, mul, reshape, square, sub, sumSquare } from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import type { Distiller } from '../distiller';
import { layerOptions, layerPairs, type LayerOptions } from '../pairs';
import { gram, identity, meanSquaredError } from './vectors';

interface IrgOptions extends LayerOptions {
  readonly weight: number;
  readonly transformation_weight: number;
}

const LEAST = 1e-12;

/** Edges of the graph of a batch: ‖f_i − f_j‖² over the largest of them (N, N), f (N, everything else). */
function edges(map: Tensor): Tensor {
  const f = flatten(map);
  const [batch = 0] = f.shape;
  const lengths = sumSquare(f, { axes: [1] });
  const sums = add(reshape(lengths, [batch, 1]), reshape(lengths, [1, batch]));
  const distances = maximum(sub(sums, mul(gram(f), 2)), LEAST);
  const apart = mul(distances, sub(1, identity(f.graph, batch)));
  return div(apart, add(max(apart), LEAST));
}

/** How the edges change from one layer to the next: mean (E_l − E_{l+1})². */
function transformation(before: Tensor, after: Tensor): Tensor {
  return meanSquaredError(edges(before), edges(after));
}

/** mean (E_s − E_t)² of the vectors, and mean (f_s − f_t)², the vertices, where these are equally long. */
export function graphLoss(student: Tensor, teacher: Tensor): Tensor {
  const apart = meanSquaredError(edges(student), edges(teacher));
  return student.shape[1] === teacher.shape[1] ? add(apart, meanSquaredError(student, teacher)) : apart;
}

/** Σ (τ_s − τ_t)² over neighboring layers, τ how the edges change between them. */
export function transformationLoss(pairs: readonly (readonly [student: Tensor, teacher: Tensor])[]): Tensor {
  return pairs
    .slice(1)
    .map(([student, teacher], i) =>
      square(sub(transformation(pairs[i]![0], student), transformation(pairs[i]![1], teacher))),
    )
    .reduce(add);
}

/**
 * Of the vectors that the classifiers see, and of the stages. There is no code of the authors in PyTorch; formula and weights are
 * those in DefangChen/SemCKD, which adds soft targets, as the paper does: ["kd", "irg"]. Its transformations of vertices need
 * layers of one shape, and are left out.
 */
export const irg: Distiller<IrgOptions> = {
  title:
    'Graphs of examples: β · (edges and vertices of the vectors + γ · how edges change from stage to stage) (Liu et al. 2019, CVPR)',
  options: {
    weight: { type: 'number', minimum: 0, default: 0.005, title: 'β, weight of this loss' },
    transformation_weight: { type: 'number', minimum: 0, default: 1, title: 'γ, weight of the changes' },
    ...layerOptions,
  },
  needsTeacher: true,
  losses: (setting) => {
    const { student, teacher, options } = setting;
    const { weight, transformation_weight: changes } = options;
    const pairs = changes > 0 ? layerPairs(setting) : [];
    return {
      irg_graph: mul(graphLoss(student.pooled, teacher.pooled), weight),
      ...(pairs.length > 1 && { irg_transformation: mul(transformationLoss(pairs), weight * changes) }),
    };
  },
};

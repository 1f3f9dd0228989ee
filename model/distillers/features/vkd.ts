/** Orthogonal projection (Miles, Elezi & Deng 2024, CVPR, "VkD: improving knowledge distillation using orthogonal projections"). */
import { uniform } from '../../../engine/initializers';
import {
  add,
  div,
  matmul,
  matmulTransposed,
  mean,
  mul,
  slice,
  smoothL1,
  sqrt,
  square,
  sub,
  transpose,
} from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import type { Distiller } from '../distiller';
import { identity } from '../relations/vectors';

interface VkdOptions {
  readonly weight: number;
}

/** The exponential of a matrix is that of its 2⁻⁶ by so many terms of the series, squared six times. */
const TERMS = 8;
const SQUARINGS = 6;

/** eᴬ of a square matrix, to the precision of float32 for matrices of norm up to about 40. */
function matrixExponential(a: Tensor): Tensor {
  const small = mul(a, 2 ** -SQUARINGS);
  const one = identity(a.graph, a.shape[0]!);
  let result = one;
  for (let k = TERMS; k >= 1; k--) result = add(one, mul(matmul(small, result), 1 / k));
  for (let i = 0; i < SQUARINGS; i++) result = matmul(result, result);
  return result;
}

/** (rows, columns) with orthonormal columns, or rows where those are fewer: a part of e^(W − Wᵀ), which is a rotation. */
function orthogonal(weight: Tensor, rows: number, columns: number): Tensor {
  const rotation = matrixExponential(sub(weight, transpose(weight, [1, 0])));
  return slice(slice(rotation, 0, 0, rows), 1, 0, columns);
}

/** (x − mean) / √(var + 1e-5) of each row of (N, F): LayerNorm without parameters. */
function standardized(x: Tensor): Tensor {
  const ofRow = { axes: [1], keepDims: true };
  const centered = sub(x, mean(x, ofRow));
  return div(centered, sqrt(add(mean(square(centered), ofRow), 1e-5)));
}

/**
 * α · mean smoothL1(P f_s − LayerNorm(f_t)) of the vectors that the classifiers see, P orthogonal: it cannot change how the
 * student's vectors lie to each other. P is the part of a matrix exponential, as `orthogonal(…, "matrix_exp")` of PyTorch
 * makes it. The authors (roymiles/vkd, DeiT on ImageNet) add soft targets of weight and temperature 1: ["kd", "vkd"].
 */
export const vkd: Distiller<VkdOptions> = {
  title: 'Orthogonal projection: α · mean smoothL1(P f_s − LayerNorm(f_t)) (Miles et al. 2024, CVPR)',
  options: { weight: { type: 'number', minimum: 0, default: 1, title: 'α, weight of this loss' } },
  needsTeacher: true,
  losses: ({ student, teacher, layers, options: { weight } }) => {
    const [mine, theirs] = [student.pooled.shape[1]!, teacher.pooled.shape[1]!];
    const size = Math.max(mine, theirs);
    const projection = orthogonal(
      layers.parameter('projector.weight', [size, size], uniform(1 / Math.sqrt(size))),
      theirs,
      mine,
    );
    const difference = sub(matmulTransposed(student.pooled, projection), standardized(teacher.pooled));
    return { vkd: mul(mean(smoothL1(difference)), weight) };
  },
};

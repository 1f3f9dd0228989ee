/** Neuron selectivity transfer (Huang & Wang 2017, "Like what you like"), with the polynomial kernel. */
import { add, matmulTransposed, mul, reshape, sub, sum, sumSquare, transpose } from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import type { Distiller } from '../distiller';
import { layerOptions, layerPairs, sameSize, type LayerOptions } from '../pairs';
import { unit } from '../relations/vectors';

interface NstOptions extends LayerOptions {
  readonly weight: number;
}

/**
 * Squared maximum mean discrepancy between the channels of two maps of one size, each channel at length 1,
 *   mean k(s_i, s_j) + mean k(t_i, t_j) − 2 mean k(s_i, t_j),  k(a, b) = (a · b)²,
 * over pairs of channels and examples; maps (N, C, H, W), (N, C′, H, W).
 */
export function selectivityLoss(student: Tensor, teacher: Tensor): Tensor {
  const [s, t] = [student, teacher].map(channels) as [Tensor, Tensor];
  return sub(add(meanKernel(s, s), meanKernel(t, t)), mul(meanKernel(s, t), 2));
}

function channels(map: Tensor): Tensor {
  const [batch = 0, count = 0, height = 0, width = 0] = map.shape;
  return unit(reshape(map, [batch, count, height * width]));
}

/** mean (a_i · b_j)² for a (N, C, L), b (N, C′, L), by the smaller products: Σ (a_i · b_j)² = ‖a bᵀ‖² = ⟨aᵀa, bᵀb⟩. */
function meanKernel(a: Tensor, b: Tensor): Tensor {
  const [batch = 0, ofA = 0, places = 0] = a.shape;
  const ofB = b.shape[1]!;
  const byPlaces = (x: Tensor) => {
    const columns = transpose(x, [0, 2, 1]);
    return matmulTransposed(columns, columns);
  };
  const total = places ** 2 < ofA * ofB ? sum(mul(byPlaces(a), byPlaces(b))) : sumSquare(matmulTransposed(a, b));
  return mul(total, 1 / (batch * ofA * ofB));
}

/** Numbers of channels may differ; of two sizes of maps the larger is averaged. */
export const nst: Distiller<NstOptions> = {
  title: 'Neuron selectivity: β · Σ_l MMD² of channels at length 1, kernel (a · b)² (Huang & Wang 2017)',
  options: { weight: { type: 'number', minimum: 0, default: 50, title: 'β, weight of this loss' }, ...layerOptions },
  needsTeacher: true,
  losses: (setting) => {
    const losses = layerPairs(setting).map((pair) => selectivityLoss(...sameSize(pair)));
    return { nst: mul(losses.reduce(add), setting.options.weight) };
  },
};

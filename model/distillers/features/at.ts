/** Attention transfer (Zagoruyko & Komodakis 2017, "Paying more attention to attention"). */
import { abs, add, flatten, mul, square, sum, sumSquare } from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import type { Distiller } from '../distiller';
import { layerOptions, layerPairs, sameSize, type LayerOptions } from '../pairs';
import { meanSquaredError, unit } from '../relations/vectors';

interface AtOptions extends LayerOptions {
  readonly weight: number;
  readonly p: 1 | 2 | 4;
}

/** q / ‖q‖₂ of an example, q = Σ_c |f_c|ᵖ over the channels of a map f (N, C, H, W), flattened → (N, H · W). */
function attention(map: Tensor, p: AtOptions['p']): Tensor {
  const overChannels = { axes: [1] };
  if (p === 1) return unit(flatten(sum(abs(map), overChannels)));
  return unit(flatten(sumSquare(p === 2 ? map : square(map), overChannels)));
}

/** mean over examples and places of (q_s − q_t)², of maps of one height and width. */
export function attentionLoss(student: Tensor, teacher: Tensor, p: AtOptions['p']): Tensor {
  return meanSquaredError(attention(student, p), attention(teacher, p));
}

/** The sum over the pairs of maps. */
export const at: Distiller<AtOptions> = {
  title: 'Attention transfer: β · Σ_l mean (q_s − q_t)², q = Σ_c |f_c|ᵖ at length 1 (Zagoruyko & Komodakis 2017)',
  options: {
    weight: { type: 'number', minimum: 0, default: 1000, title: 'β, weight of this loss' },
    p: { enum: [1, 2, 4], default: 2, title: 'exponent of the activations that an attention map adds up' },
    ...layerOptions,
  },
  needsTeacher: true,
  losses: (setting) => {
    const { weight, p } = setting.options;
    const losses = layerPairs(setting).map((pair) => attentionLoss(...sameSize(pair), p));
    return { at: mul(losses.reduce(add), weight) };
  },
};

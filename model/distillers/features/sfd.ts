/** Simple feature distillation of karanchahal/distiller, there called FD: strongest responses of channels. */
import { add, max, mul, sqrt, sub, sumSquare } from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import type { Distiller } from '../distiller';
import { layerOptions, layerPairs, requireSameChannels, type LayerOptions } from '../pairs';

interface SfdOptions extends LayerOptions {
  readonly weight: number;
}

/** Added to differences, so that a distance has a gradient where they are zero, as PyTorch's pairwise_distance does. */
const OFFSET = 1e-6;

/** max over examples of ‖s − t + 1e-6‖₂ over channels, vectors (N, C). */
export function farthest(student: Tensor, teacher: Tensor): Tensor {
  const distances = sqrt(sumSquare(add(sub(student, teacher), OFFSET), { axes: [1] }));
  return max(distances);
}

/** The largest value of each channel: (N, C, H, W) → (N, C). */
function globalMaxPool(map: Tensor): Tensor {
  return map.shape.length === 4 ? max(map, { axes: [2, 3] }) : map;
}

/** Stages need equal numbers of channels; their maps are taken before the ReLU, unless `layers` names others. */
export const sfd: Distiller<SfdOptions> = {
  title: 'Simple feature distillation: β · Σ_l max_n ‖gmp(f_s) − gmp(f_t)‖₂, gmp a maximum over places (distiller, FD)',
  options: { weight: { type: 'number', minimum: 0, default: 1, title: 'β, weight of this loss' }, ...layerOptions },
  needsTeacher: true,
  losses: (setting) => {
    const losses = layerPairs(setting, '.preact').map((pair) => {
      requireSameChannels(pair, 'sfd', 'choose nets of equal widths, or "at", "sp" or "vid"');
      return farthest(globalMaxPool(pair[0]), globalMaxPool(pair[1]));
    });
    return { sfd: mul(losses.reduce(add), setting.options.weight) };
  },
};

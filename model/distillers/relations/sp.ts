/** Similarity-preserving knowledge distillation (Tung & Mori 2019). */
import { add, flatten, mul } from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import type { Distiller } from '../distiller';
import { layerOptions, layerPairs, type LayerOptions } from '../pairs';
import { gram, meanSquaredError, unit } from './vectors';

interface SpOptions extends LayerOptions {
  readonly weight: number;
}

/** ‖G_s − G_t‖²_F / N², G the products of examples f fᵀ, f (N, everything else), with rows at length 1. */
export function similarityLoss(student: Tensor, teacher: Tensor): Tensor {
  const similarity = (f: Tensor) => unit(gram(flatten(f)));
  return meanSquaredError(similarity(student), similarity(teacher));
}

/** Channels and sizes of maps may differ. As in the paper, the last stages alone are compared unless `layers` says more. */
export const sp: Distiller<SpOptions> = {
  title: 'Similarity of examples: γ · ‖G_s − G_t‖² / N², G = f fᵀ with rows at length 1 (Tung & Mori 2019)',
  options: {
    weight: { type: 'number', minimum: 0, default: 3000, title: 'γ, weight of this loss' },
    layers: { ...layerOptions.layers, title: 'outputs of student and teacher to compare; the last stages by default' },
  },
  needsTeacher: true,
  losses: (setting) => {
    const losses = layerPairs(setting, '', 1).map((pair) => similarityLoss(...pair));
    return { sp: mul(losses.reduce(add), setting.options.weight) };
  },
};

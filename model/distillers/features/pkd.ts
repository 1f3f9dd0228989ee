/** Patient knowledge distillation (Sun et al. 2019) on the feature maps of a network, as in karanchahal/distiller. */
import { add, flatten, mul, sub, sumSquare } from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import { sizeOf } from '../../../formats/ndarray';
import type { Distiller } from '../distiller';
import { layerOptions, layerPairs, requireSameShape, type LayerOptions, type Pair } from '../pairs';
import { unit } from '../relations/vectors';

interface PkdOptions extends LayerOptions {
  readonly weight: number;
  readonly normalize: boolean;
}

/** Σ (s − t)² over the elements of all pairs, over their number; with `normalize` each example's map has length 1. */
export function patienceLoss(pairs: readonly Pair[], normalize: boolean): Tensor {
  const vectors = pairs.map((pair) => pair.map((map) => (normalize ? unit(flatten(map)) : map)) as unknown as Pair);
  const elements = vectors.reduce((total, [student]) => total + sizeOf(student.shape), 0);
  return mul(vectors.map(([student, teacher]) => sumSquare(sub(student, teacher))).reduce(add), 1 / elements);
}

/** Student and teacher need maps of equal shapes. ["kd", "pkd"] adds soft targets, as in both sources. */
export const pkd: Distiller<PkdOptions> = {
  title: 'Patient distillation: β · mean (f_s − f_t)² over the maps of all stages (Sun et al. 2019)',
  options: {
    weight: { type: 'number', minimum: 0, default: 10, title: 'β, weight of this loss' },
    normalize: { type: 'boolean', default: false, title: "whether to normalize each example's map to length 1" },
    ...layerOptions,
  },
  needsTeacher: true,
  losses: (setting) => {
    const { weight, normalize } = setting.options;
    const pairs = layerPairs(setting);
    for (const pair of pairs) requireSameShape(pair, 'pkd', 'choose nets of one family, or "at", "sp" or "vid"');
    return { pkd: mul(patienceLoss(pairs, normalize), weight) };
  },
};

/** Overhaul of feature distillation (Heo et al. 2019b), OFD for short. */
import { indicator } from '../../../engine/ops/activation';
import { add, detach, div, mul, neg, relu, sub, sum, sumSquare } from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import type { Distiller } from '../distiller';
import { layerOptions, layerPairs, sameSize, type LayerOptions } from '../pairs';
import { connector } from './connector';

interface OfdOptions extends LayerOptions {
  readonly weight: number;
}

/** E[t | t < 0] of each channel of t (N, C, H, W) → (1, C, 1, 1); 0 where nothing is negative. */
export function negativeMean(t: Tensor): Tensor {
  const perChannel = { axes: [0, 2, 3], keepDims: true };
  const count = sum(indicator('Less', t, 0), perChannel);
  const none = sub(1, indicator('Greater', count, 0));
  return neg(div(sum(relu(neg(t)), perChannel), add(count, none)));
}

/**
 * Σ d(s, max(t, m)) / N with the margin m = E[t | t < 0] of each channel of the teacher and the partial distance
 *   d(s, t) = 0 where s ≤ t ≤ 0,  (s − t)² elsewhere,
 * of maps s and t (N, C, H, W) before their ReLU: what stays inactive in both is left alone.
 */
export function overhaulLoss(student: Tensor, teacher: Tensor): Tensor {
  const margin = negativeMean(teacher);
  const target = detach(add(relu(sub(teacher, margin)), margin));
  const difference = sub(student, target);
  const exceeds = indicator('Greater', difference, 0);
  const isActive = indicator('Greater', target, 0);
  const counts = sub(add(exceeds, isActive), mul(exceeds, isActive));
  return mul(sumSquare(mul(difference, counts)), 1 / student.shape[0]!);
}

/**
 * Each stage counts half of the one after it; every map of the student goes through a connector. The paper allows to
 * take the margin from the maps or from the parameters of the BatchNorm before the ReLU; here it is taken from the maps
 * of the batch, which holds for sums with a shortcut and for maps that are pooled before their ReLU too. The teacher is in
 * evaluation mode.
 */
export const ofd: Distiller<OfdOptions> = {
  title: 'Overhaul: β · Σ_l 2^(l−L) · Σ d(f_s, max(f_t, m)), before the ReLU, margin m < 0 (Heo et al. 2019b)',
  options: {
    weight: { type: 'number', minimum: 0, default: 1e-3, title: 'β, weight of this loss' },
    layers: {
      ...layerOptions.layers,
      title: 'outputs before their ReLU, such as "stage2.preact"; those of the last stages that both have by default',
    },
  },
  stateName: 'oh',
  needsTeacher: true,
  losses: (setting) => {
    const { layers, options } = setting;
    const losses = layerPairs(setting, '.preact').map((pair, i, { length }) => {
      const [student, teacher] = sameSize(pair);
      const connected = connector(layers, `connector.${i}`, student, teacher.shape[1]!);
      return mul(overhaulLoss(connected, teacher), 2 ** (i + 1 - length));
    });
    // The name that it has in the metrics of all runs.
    return { oh: mul(losses.reduce(add), options.weight) };
  },
};

/** Activation boundaries (Heo et al. 2019, "Knowledge transfer via distillation of activation boundaries"). */
import { indicator } from '../../../engine/ops/activation';
import { add, mul, relu, sub, sumSquare } from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import type { Distiller } from '../distiller';
import { layerOptions, layerPairs, sameSize, type LayerOptions } from '../pairs';
import { pretraining } from '../pretraining';
import { connector } from './connector';

interface AbOptions extends LayerOptions {
  readonly weight: number;
  readonly margin: number;
  readonly boundary_epochs: number;
  readonly stage?: 'boundary';
}

/**
 * Σ max(0, m − σ s)² / N with σ = 1 where t > 0, −1 elsewhere: what the teacher activates the student is to exceed m,
 * elsewhere to stay below −m. s and t are maps (N, C, H, W) before their ReLU.
 */
export function boundaryLoss(student: Tensor, teacher: Tensor, margin: number): Tensor {
  const opposite = sub(1, mul(indicator('Greater', teacher, 0), 2));
  return mul(sumSquare(relu(add(mul(student, opposite), margin))), 1 / student.shape[0]!);
}

/**
 * The first of two stages; in the second the student is trained by the other methods of params.json, or soft targets,
 * without the boundaries. Each stage counts half of the one after it. Where channels differ, the student's map goes
 * through a connector; of two sizes of maps the larger is averaged.
 */
export const ab: Distiller<AbOptions> = {
  title: 'Activation boundaries: β · Σ_l 2^(l−L) · Σ max(0, m − sign(f_t) f_s)², then soft targets (Heo et al. 2019)',
  options: {
    weight: { type: 'number', minimum: 0, default: 0.003, title: 'β, weight of this loss' },
    margin: { type: 'number', exclusiveMinimum: 0, default: 1, title: 'm, margin of the boundary' },
    boundary_epochs: { type: 'integer', minimum: 1, default: 10, title: 'epochs of the first stage' },
    layers: {
      ...layerOptions.layers,
      title: 'outputs before their ReLU, such as "stage2.preact"; those of the last stages that both have by default',
    },
    stage: { enum: ['boundary'], title: 'set in the params.json of the first stage' },
  },
  needsTeacher: true,
  includesCrossEntropy: true,
  losses: (setting) => {
    const { layers, options } = setting;
    const losses = layerPairs(setting, '.preact').map((pair, i, { length }) => {
      const [student, teacher] = sameSize(pair);
      const channels = teacher.shape[1]!;
      const fits = student.shape[1] === channels;
      const connected = fits ? student : connector(layers, `connector.${i}`, student, channels);
      return mul(boundaryLoss(connected, teacher, options.margin), 2 ** (i + 1 - length));
    });
    return { ab: mul(losses.reduce(add), options.weight) };
  },
  stages: (options, run) =>
    options.stage ? [] : pretraining('ab', { ...options, stage: 'boundary' }, options.boundary_epochs, run),
};

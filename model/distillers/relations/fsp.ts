/** Flow of the solution procedure (Yim, Joo, Bae & Kim 2017, "A gift from knowledge distillation"). */
import { add, matmulTransposed, mul, reshape } from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import { UserError } from '../../../utils/errors';
import type { Distiller } from '../distiller';
import { layerOptions, layerPairs, requireSameChannels, sameSize, type LayerOptions, type Pair } from '../pairs';
import { pretraining } from '../pretraining';
import { meanSquaredError } from './vectors';

interface FspOptions extends LayerOptions {
  readonly weight: number;
  readonly init_epochs: number;
  readonly stage?: 'flow';
}

/** G = f₁ f₂ᵀ / (H · W) for each example: maps (N, C₁, H, W), (N, C₂, H, W) → (N, C₁, C₂). */
function flow(first: Tensor, second: Tensor): Tensor {
  const [batch = 0, , height = 0, width = 0] = first.shape;
  const rows = (map: Tensor) => reshape(map, [batch, map.shape[1]!, height * width]);
  return mul(matmulTransposed(rows(first), rows(second)), 1 / (height * width));
}

/** Σ over successive pairs of maps of mean (G_s − G_t)²; of two sizes of maps the larger is averaged. */
export function flowLoss(pairs: readonly Pair[]): Tensor {
  const flows = (side: 0 | 1) => pairs.slice(1).map((pair, i) => flow(...sameSize([pairs[i]![side], pair[side]])));
  const ofTeacher = flows(1);
  return flows(0)
    .map((ofStudent, i) => meanSquaredError(ofStudent, ofTeacher[i]!))
    .reduce(add);
}

/**
 * Two runs, as in the paper: first the flows alone for `init_epochs`, then, from those weights, the other methods that
 * params.json lists, or the labels alone. Student and teacher need equal numbers of channels.
 */
export const fsp: Distiller<FspOptions> = {
  title:
    'Flow of the solution procedure: first β · Σ_l mean (G_s − G_t)², G = f_l f_{l+1}ᵀ / HW, then labels (Yim et al. 2017)',
  options: {
    weight: { type: 'number', minimum: 0, default: 50, title: 'β, weight of this loss' },
    init_epochs: { type: 'integer', minimum: 1, default: 30, title: 'epochs of the first run' },
    stage: { enum: ['flow'], title: 'set for the first run, which matches flows alone' },
    layers: {
      ...layerOptions.layers,
      minItems: 2,
      title: 'outputs of student and teacher for flows; stem and stages that both have by default',
    },
  },
  needsTeacher: true,
  includesCrossEntropy: true,
  losses: (setting) => {
    const { student, teacher, options } = setting;
    const pairs = layerPairs(setting);
    const haveStem = [student, teacher].every(({ names }) => names.includes('stem'));
    if (!options.layers && haveStem) pairs.unshift([student.get('stem'), teacher.get('stem')]);
    for (const pair of pairs) requireSameChannels(pair, 'fsp', 'choose nets of equal widths, or "at", "sp" or "vid"');
    if (pairs.length < 2) throw new UserError('fsp: at least two outputs are needed for flows; set "layers"');
    return { fsp: mul(flowLoss(pairs), options.weight) };
  },
  stages: (options, run) =>
    options.stage ? [] : pretraining('fsp', { ...options, stage: 'flow' }, options.init_epochs, run, 'nokd'),
};

/** Hints (Romero et al. 2015, "FitNets: hints for thin deep nets"). */
import { add, mul, relu } from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import type { Layers } from '../../nets/layers';
import type { Distiller } from '../distiller';
import { layerNames, layerOptions, sameSize, type LayerOptions } from '../pairs';
import { pretraining } from '../pretraining';
import { meanSquaredError } from '../relations/vectors';

interface FitnetOptions extends LayerOptions {
  readonly weight: number;
  readonly stages: 1 | 2;
  readonly hint_epochs: number;
  readonly stage?: 'hints';
}

/** mean of (r(f_s) − f_t)² over all elements of a map, r the regressor: 1×1 convolution, BatchNorm and ReLU. */
function hintLoss(layers: Layers, name: string, student: Tensor, teacher: Tensor): Tensor {
  const y = layers.conv(`${name}.0`, student, teacher.shape[1]!, { kernel: 1 });
  return meanSquaredError(relu(layers.batchNorm(`${name}.1`, y)), teacher);
}

/**
 * Channels of student and teacher may differ; of two sizes of maps the larger is averaged.
 *
 * With one stage, as in the tables of Tian et al. (2020), the hint goes on beside the labels, and beside soft targets
 * as ["kd", "fitnet"]. With two, as in the paper, the student is trained up to the hint alone, then by the other methods,
 * or soft targets, without the hint.
 */
export const fitnet: Distiller<FitnetOptions> = {
  title: 'Hints: β · mean (r(f_s) − f_t)², r a 1×1 convolution, of a layer in the middle (Romero et al. 2015)',
  options: {
    weight: { type: 'number', minimum: 0, default: 100, title: 'β, weight of this loss' },
    stages: { enum: [1, 2], default: 1, title: '1: hints beside the labels; 2: hints alone first, then soft targets' },
    hint_epochs: { type: 'integer', minimum: 1, default: 10, title: 'epochs of the first of two stages' },
    layers: { ...layerOptions.layers, title: 'outputs of student and teacher to compare; the middle stage by default' },
    stage: { enum: ['hints'], title: 'set in the params.json of the first stage' },
  },
  needsTeacher: true,
  ignoresLabels: ({ stage }) => stage === 'hints',
  losses: (setting) => {
    const { student, teacher, layers, options } = setting;
    const names = layerNames(setting);
    const middle = names[Math.floor((names.length - 1) / 2)]!;
    const losses = (options.layers ? names : [middle]).map(([mine, theirs], i) =>
      hintLoss(layers, `regressor.${i}`, ...sameSize([student.get(mine), teacher.get(theirs)])),
    );
    return { fitnet: mul(losses.reduce(add), options.weight) };
  },
  stages: (options, run) =>
    options.stages === 1 || options.stage
      ? []
      : pretraining('fitnet', { ...options, stage: 'hints' }, options.hint_epochs, run),
};

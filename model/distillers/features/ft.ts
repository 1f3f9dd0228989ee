/** Factor transfer (Kim, Park & Kwak 2018, "Paraphrasing complex network"). */
import { abs, detach, flatten, leakyRelu, mean, mul, sub } from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import type { Layers } from '../../nets/layers';
import type { Distiller, Losses } from '../distiller';
import { layerOptions, layerPairs, sameSize, type LayerOptions } from '../pairs';
import { startsFrom } from '../pretraining';
import { meanSquaredError, unit } from '../relations/vectors';

interface FtOptions extends LayerOptions {
  readonly weight: number;
  readonly k: number;
  readonly p: 1 | 2;
  readonly paraphraser_epochs: number;
  readonly stage?: 'paraphraser' | 'student';
}

/** mean of |F_s − F_t|ᵖ over all elements of the factors (N, D), each example's at length 1. */
export function factorLoss(student: Tensor, teacher: Tensor, p: FtOptions['p']): Tensor {
  const [s, t] = [unit(flatten(student)), unit(flatten(teacher))];
  return p === 1 ? mean(abs(sub(s, t))) : meanSquaredError(s, t);
}

/** 3×3 convolutions of these widths, each with a leaky ReLU of slope 0.1: `<name>.0`, `<name>.2`, …. */
function convolutions(layers: Layers, name: string, x: Tensor, widths: readonly number[]): Tensor {
  return widths.reduce((y, width, i) => {
    const options = { kernel: 3, padding: 1, bias: true };
    return leakyRelu(layers.conv(`${name}.${2 * i}`, y, width, options), 0.1);
  }, x);
}

/**
 * Two stages: first a paraphraser, an autoencoder whose code of k · C channels is the factor F_t, learns to restore the
 * teacher's last map of C channels; then the student learns, beside the labels, to give that factor through a translator.
 * A transposed 3×3 convolution of stride 1 is a convolution, and written so. The default β is that of Tian et al. (2020),
 * who average factors over channels first; the authors' code, whose loss this is, has 500.
 */
export const ft: Distiller<FtOptions> = {
  title: 'Factor transfer: β · mean |F_s − F_t|ᵖ, factors of maps at length 1 (Kim, Park & Kwak 2018)',
  options: {
    weight: { type: 'number', minimum: 0, default: 200, title: 'β, weight of this loss' },
    k: {
      type: 'number',
      exclusiveMinimum: 0,
      maximum: 1,
      default: 0.5,
      title: "channels of a factor for each of the teacher's",
    },
    p: { enum: [1, 2], default: 1, title: 'exponent of the distance' },
    paraphraser_epochs: { type: 'integer', minimum: 1, default: 30, title: 'epochs of the first stage' },
    layers: {
      ...layerOptions.layers,
      maxItems: 1,
      description: 'a list of one pair such as [["stage3", "stage3"]], the student\'s output first',
      title: 'outputs of student and teacher to compare; the last stages by default',
    },
    stage: { enum: ['paraphraser', 'student'], title: 'set in the params.json of the stages' },
  },
  needsTeacher: true,
  ignoresLabels: ({ stage }) => stage === 'paraphraser',
  losses: (setting): Losses => {
    const { layers, options } = setting;
    // The student is asked for in both stages: the first hands on its weights as they are.
    const [student, teacher] = layerPairs(setting, '', 1)[0]!;
    const channels = teacher.shape[1]!;
    const width = Math.max(1, Math.round(options.k * channels));
    const factor = convolutions(layers, 'paraphraser.encoder', teacher, [channels, width, width]);
    if (options.stage === 'paraphraser') {
      const restored = convolutions(layers, 'paraphraser.decoder', factor, [width, channels, channels]);
      return { paraphraser: meanSquaredError(restored, teacher) };
    }
    const translated = convolutions(layers, 'translator', student, [student.shape[1]!, width, width]);
    return { ft: mul(factorLoss(...sameSize([translated, detach(factor)]), options.p), options.weight) };
  },
  stages: (options, { method }) =>
    options.stage
      ? []
      : [
          {
            name: 'paraphraser',
            changes: () => ({
              method: { ...options, name: 'ft', stage: 'paraphraser' },
              num_epochs: options.paraphraser_epochs,
            }),
          },
          {
            name: 'student',
            changes: (before) => ({
              method: method.map((one) => (one.name === 'ft' ? { ...one, stage: 'student' } : one)),
              ...startsFrom(before),
            }),
          },
        ],
};

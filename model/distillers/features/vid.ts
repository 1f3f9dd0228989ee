/** Variational information distillation (Ahn et al. 2019). */
import { constant } from '../../../engine/initializers';
import { add, div, exp, log, mean, mul, relu, sub, sumSquare } from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import type { Layers } from '../../nets/layers';
import type { Distiller } from '../distiller';
import { layerOptions, layerPairs, sameSize, type LayerOptions } from '../pairs';

interface VidOptions extends LayerOptions {
  readonly weight: number;
  readonly initial_variance: number;
}

/** The least variance. */
const LEAST = 1e-5;

/**
 * mean of ½ ((μ − t)² / σ² + ln σ²): the negative log-likelihood of the teacher's map t under Gaussians around the
 * prediction μ (N, C, H, W), with a variance for each channel, σ² = ln(1 + eᵃ) + 1e-5 for a (C).
 */
function variationalLoss(prediction: Tensor, teacher: Tensor, a: Tensor): Tensor {
  const [batch = 0, , height = 0, width = 0] = teacher.shape;
  const variance = add(log(add(exp(a), 1)), LEAST);
  const squares = mul(sumSquare(sub(prediction, teacher), { axes: [0, 2, 3] }), 1 / (batch * height * width));
  return mul(mean(add(div(squares, variance), log(variance))), 0.5);
}

/** Three 1×1 convolutions with ReLU between them, all as wide as the teacher's map. */
function regressor(layers: Layers, name: string, x: Tensor, width: number): Tensor {
  const conv = (place: number, input: Tensor) => layers.conv(`${name}.${place}`, input, width, { kernel: 1 });
  return conv(4, relu(conv(2, relu(conv(0, x)))));
}

/** Channels of student and teacher may differ; of two sizes of maps the larger is averaged. */
export const vid: Distiller<VidOptions> = {
  title: 'Variational information: β · Σ_l −ln N(f_t; regressor(f_s), σ²), σ² trained (Ahn et al. 2019)',
  options: {
    weight: { type: 'number', minimum: 0, default: 1, title: 'β, weight of this loss' },
    initial_variance: { type: 'number', exclusiveMinimum: LEAST, default: 5, title: 'σ² at the start' },
    ...layerOptions,
  },
  needsTeacher: true,
  losses: (setting) => {
    const { layers, options } = setting;
    const initial = constant(Math.log(Math.exp(options.initial_variance - LEAST) - 1));
    const losses = layerPairs(setting).map((pair, i) => {
      const [student, teacher] = sameSize(pair);
      const channels = teacher.shape[1]!;
      const a = layers.parameter(`${i}.log_scale`, [channels], initial);
      return variationalLoss(regressor(layers, `${i}.regressor`, student, channels), teacher, a);
    });
    return { vid: mul(losses.reduce(add), options.weight) };
  },
};

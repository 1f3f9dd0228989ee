/** Prime-aware adaptive distillation (Zhang et al. 2020, ECCV). */
import { add, div, exp, mean, mul, square, sub } from '../../../engine/ops/index';
import type { Distiller } from '../distiller';
import { projected } from './connector';

interface PadOptions {
  readonly weight: number;
  readonly warmup_epochs: number;
}

const LEAST = 1e-6;

/**
 * β · mean ((f_t − f_s)² / (σ² + 1e-6) + ln σ²) of the vectors that the classifiers see, ln σ² a linear layer and BatchNorm of the
 * student's: examples on which the student is far off count less. For the first epochs σ² is 1. Defaults are those in torchdistill
 * (yoshitomo-matsubara/torchdistill, ResNet-18 from ResNet-34); vectors of another length than the teacher's pass a linear layer.
 */
export const pad: Distiller<PadOptions> = {
  title: 'Features by a learned variance: β · mean ((f_t − f_s)² / σ² + ln σ²) (Zhang et al. 2020, ECCV)',
  options: {
    weight: { type: 'number', minimum: 0, default: 1, title: 'β, weight of this loss' },
    warmup_epochs: { type: 'integer', minimum: 0, default: 10, title: 'epochs in which σ² is 1' },
  },
  needsTeacher: true,
  losses: ({ student, teacher, layers, options: { weight, warmup_epochs: warmup } }) => {
    const width = teacher.pooled.shape[1]!;
    const { pooled } = student;
    const mine = pooled.shape[1] === width ? pooled : projected(layers, 'projector', pooled, width);
    const own = layers.batchNorm('variance.1', projected(layers, 'variance.0', pooled, width));
    const isOn = own.graph.hostScalar('distiller.pad.variance', ({ epoch }) => (epoch > warmup ? 1 : 0));
    const logVariance = mul(own, isOn);
    const apart = div(square(sub(teacher.pooled, mine)), add(exp(logVariance), LEAST));
    return { pad: mul(mean(add(apart, logVariance)), weight) };
  },
};

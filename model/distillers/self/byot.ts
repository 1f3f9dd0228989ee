/** Be your own teacher (Zhang, Song, Gao, Chen, Bao & Ma 2019, ICCV, "Improve the performance of convolutional neural networks via self distillation"). */
import { add, detach, globalAvgPool, mul, relu, sqrt, sub, sumSquare } from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import { UserError } from '../../../utils/errors';
import type { Layers } from '../../nets/layers';
import type { Distiller } from '../distiller';
import { kdLoss } from '../logits/kd';
import { stages } from '../pairs';

/**
 * The vector of a map (N, C, H, W) that a branch makes as long as that of the classifier: 1×1 convolution to a quarter of the
 * `width`, k×k convolution of stride k down to the size of the last map, 1×1 convolution to `width`, each with BatchNorm and
 * ReLU; and the mean over places.
 */
function branch(layers: Layers, name: string, map: Tensor, k: number, width: number): Tensor {
  const block = (i: number, x: Tensor, features: number, kernel: number) =>
    relu(layers.batchNorm(`${name}.${i + 1}`, layers.conv(`${name}.${i}`, x, features, { kernel, stride: kernel })));
  const narrow = Math.max(1, Math.floor(width / 4));
  return globalAvgPool(block(6, block(3, block(0, map, narrow, 1), narrow, k), width, 1));
}

export interface ByotOptions {
  readonly alpha: number;
  readonly temperature: number;
  readonly feature_weight: number;
  readonly variant?: 'code';
}

/**
 * CE(z) + Σ_i [(1 − α) · CE(z_i) + α · T² · KL(p ‖ p_i) + λ · mean_n |F_i − F|²] over the stages i before the last: F_i is the
 * vector of a branch on the map of stage i, z_i a linear layer on it, F and z what the student itself makes of the image,
 * constants in these terms. The variant "code" has the length of F_i − F over the whole batch, √(Σ_n |F_i − F|²), as mmrazor
 * does; branches are those of luanyunteng/pytorch-be-your-own-teacher, where the paper names a bottleneck and no sizes.
 * The student is evaluated without its branches.
 */
export const byot: Distiller<ByotOptions> = {
  title:
    'Own teacher: branches at earlier stages learn from labels, logits and vector of the last (Zhang et al. 2019, ICCV)',
  options: {
    alpha: { type: 'number', minimum: 0, maximum: 1, default: 0.3, title: 'α, weight of the soft targets in branches' },
    temperature: { type: 'number', exclusiveMinimum: 0, default: 3, title: 'T, temperature' },
    feature_weight: { type: 'number', minimum: 0, default: 0.03, title: 'λ, weight of the features' },
    variant: { enum: ['code'], title: '"code": the distance of vectors not squared, over the whole batch' },
  },
  needsTeacher: false,
  includesCrossEntropy: true,
  losses: ({ student, layers, classes, crossEntropy, options }) => {
    const { alpha, temperature, feature_weight: lambda, variant } = options;
    const names = stages(student);
    if (names.length < 2)
      throw new UserError(`byot: the student needs two stages, and has ${student.names.join(', ')}`);
    const side = student.get(names.at(-1)!).shape[2]!;
    const [vector, logits] = [detach(student.pooled), detach(student.logits)];
    const [batch = 1, width = 1] = vector.shape;
    const branches = names.slice(0, -1).map((name) => {
      const map = student.get(name);
      const f = branch(layers, name, map, Math.max(1, Math.floor(map.shape[2]! / side)), width);
      const z = layers.linear(`${name}.fc`, f, classes);
      const squares = sumSquare(sub(f, vector));
      return {
        hard: crossEntropy(z),
        soft: kdLoss(z, logits, temperature, 'batchmean'),
        distance: variant === 'code' ? sqrt(squares) : mul(squares, 1 / batch),
      };
    });
    const total = (key: keyof (typeof branches)[number], weight: number) =>
      mul(branches.map((one) => one[key]).reduce(add), weight);
    return {
      ce: crossEntropy(student.logits),
      branch_ce: total('hard', 1 - alpha),
      kd: total('soft', alpha),
      feature: total('distance', lambda),
    };
  },
};

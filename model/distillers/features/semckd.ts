/** Semantic calibration (Chen et al. 2021, AAAI, "Cross-layer distillation with semantic calibration"). */
import { add, concat, flatten, mean, mul, pad, relu, softmax, square, sub, sum } from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import type { Layers } from '../../nets/layers';
import type { DistillContext, Distiller } from '../distiller';
import { allMaps, sameSize, sideOptions, type SideOptions } from '../pairs';
import { gram, unit } from '../relations/vectors';

interface SemckdOptions extends SideOptions {
  readonly weight: number;
  readonly soft: number;
}

/**
 * A key or query of each example: two linear layers with ReLU between them of its products with all examples of the batch, at
 * length 1. In a smaller batch the products with those that are missing are 0.
 */
function calibration(layers: Layers, name: string, map: Tensor, largestBatch: number): Tensor {
  const products = gram(flatten(map));
  const missing = largestBatch - products.shape[1]!;
  const row = missing > 0 ? pad(products, 1, 0, missing) : products;
  const dim = Math.max(1, Math.floor(largestBatch / 4));
  return unit(layers.linear(`${name}.2`, relu(layers.linear(`${name}.0`, row, 2 * dim)), dim));
}

/** Convolutions 1×1, 3×3, 1×1 to the teacher's channels, twice as wide between, each but the last with BatchNorm and ReLU. */
function projection(layers: Layers, name: string, x: Tensor, channels: number): Tensor {
  const block = (place: number, input: Tensor, kernel: 1 | 3) => {
    const y = layers.conv(`${name}.${place}`, input, 2 * channels, { kernel, padding: (kernel - 1) / 2 });
    return relu(layers.batchNorm(`${name}.${place + 1}`, y));
  };
  return layers.conv(`${name}.6`, block(3, block(0, x, 1), 3), channels, { kernel: 1 });
}

/** mean over channels and places of (P(f_s) − f_t)² for each example → (N, 1), the larger map averaged to the smaller. */
function apart(layers: Layers, name: string, mine: Tensor, theirs: Tensor): Tensor {
  const [student, teacher] = sameSize([mine, theirs]);
  const difference = flatten(sub(projection(layers, name, student, teacher.shape[1]!), teacher));
  return mean(square(difference), { axes: [1], keepDims: true });
}

function calibrated(context: DistillContext<SemckdOptions>): Tensor {
  const { layers, largestBatch, batchSize, options } = context;
  const [student, teacher] = allMaps(context);
  const keys = teacher.map((map, t) => calibration(layers, `key.${t}`, map, largestBatch));
  const losses = student.map((map, s) => {
    const query = calibration(layers, `query.${s}`, map, largestBatch);
    const scores = keys.map((key) => sum(mul(query, key), { axes: [1], keepDims: true }));
    const shares = softmax(mul(concat(scores, 1), 1 / options.soft));
    const distances = teacher.map((other, t) => apart(layers, `projection.${s}.${t}`, map, other));
    return sum(mul(shares, concat(distances, 1)));
  });
  return mul(losses.reduce(add), 1 / (batchSize * student.length));
}

/**
 * β · mean_ns Σ_t a_nst · mean (P_st(f_s) − f_t)² with a = softmax_t (q_s · k_t / τ): which map of the teacher a map of the
 * student learns from is learned. Keys and queries are as many numbers as a quarter of the batch, and their layers as wide as
 * the batch: the batch size is part of the method. Defaults are the authors' (DefangChen/SemCKD), who add kd.
 */
export const semckd: Distiller<SemckdOptions> = {
  title: 'Maps of all layers, matched by attention: β · mean Σ a_st · mean (P_st(f_s) − f_t)² (Chen et al. 2021, AAAI)',
  options: {
    weight: { type: 'number', minimum: 0, default: 400, title: 'β, weight of this loss' },
    soft: { type: 'number', exclusiveMinimum: 0, default: 1, title: 'τ, temperature of the products' },
    ...sideOptions,
  },
  needsTeacher: true,
  losses: (context) => ({ semckd: mul(calibrated(context), context.options.weight) }),
};

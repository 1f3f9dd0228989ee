/** Knowledge review (Chen et al. 2021, "Distilling knowledge via knowledge review"). */
import { uniform } from '../../../engine/initializers';
import {
  adaptiveAvgPool,
  add,
  concat,
  mul,
  reshape,
  sigmoid,
  slice,
  sub,
  sumSquare,
  upsample,
} from '../../../engine/ops/index';
import { formatShape, type Tensor } from '../../../engine/tensor';
import { sizeOf } from '../../../formats/ndarray';
import { UserError } from '../../../utils/errors';
import type { Layers } from '../../nets/layers';
import type { Distiller } from '../distiller';
import { layerNames, layerOptions, type LayerOptions } from '../pairs';

interface ReviewOptions extends LayerOptions {
  readonly weight: number;
  readonly warm_up: number;
}

/** Widest map inside a fusion module. */
const WIDEST = 512;

/**
 * Hierarchical context: Σ_l 2^−l · mean (P_l(s) − P_l(t))² / Σ_l 2^−l, where P_0 keeps the maps (N, C, H, W) and the
 * others average them to sides of 4, 2 and 1 as far as these are smaller than the map.
 */
export function hierarchicalLoss(student: Tensor, teacher: Tensor): Tensor {
  const side = student.shape[2]!;
  const levels = [sub(student, teacher)];
  for (const size of [4, 2, 1].filter((one) => one < side)) {
    // Means of means where the bins are even; otherwise those of the map itself.
    levels.push(adaptiveAvgPool(levels[side % 4 === 0 ? levels.length - 1 : 0]!, size));
  }
  const total = levels.reduce((all, _, i) => all + 2 ** -i, 0);
  return levels.map((level, i) => mul(sumSquare(level), 2 ** -i / total / sizeOf(level.shape))).reduce(add);
}

/** Nearest-neighbor resizing of (N, C, H, H) to a side that is a multiple or a divisor of H. */
function resized(x: Tensor, side: number): Tensor {
  const from = x.shape[2]!;
  if (side === from) return x;
  if (side % from === 0) return upsample(x, side / from);
  if (from % side !== 0) {
    throw new UserError(`reviewkd: a map ${formatShape(x.shape)} cannot be resized to ${side}; choose other "layers"`);
  }
  return [2, 3].reduce((y, axis) => slice(y, axis, 0, Infinity, from / side), x);
}

/** 1×1 or 3×3 convolution, U(±√(3 / fan_in)), and BatchNorm. */
function convolution(layers: Layers, name: string, x: Tensor, features: number, kernel: 1 | 3): Tensor {
  const init = uniform(Math.sqrt(3 / (x.shape[1]! * kernel * kernel)));
  const y = layers.conv(`${name}.0`, x, features, { kernel, padding: (kernel - 1) / 2, init });
  return layers.batchNorm(`${name}.1`, y);
}

/** Attention-based fusion of a map of the student with the result of the deeper ones, each weighed at every place. */
function fusion(layers: Layers, name: string, x: Tensor, deeper: Tensor | undefined, width: number): Tensor {
  const own = convolution(layers, `${name}.conv1`, x, width, 1);
  if (!deeper) return own;
  const review = resized(deeper, own.shape[2]!);
  const both = concat([own, review], 1);
  const shares = sigmoid(layers.conv(`${name}.att_conv.0`, both, 2, { kernel: 1, bias: true }));
  return add(mul(own, slice(shares, 1, 0, 1)), mul(review, slice(shares, 1, 1, 2)));
}

/**
 * From the last output, the pooled vector, back to the first: every result is compared with the teacher's map before its
 * ReLU, brought to its channels by a 3×3 convolution. The weight grows linearly over the epochs of the warm-up.
 */
export const reviewkd: Distiller<ReviewOptions> = {
  title: 'Knowledge review: β · Σ_l HCL(ABF(f_s of l and deeper), f_t of l) (Chen et al. 2021)',
  options: {
    weight: { type: 'number', minimum: 0, default: 1, title: 'β, weight of this loss' },
    warm_up: { type: 'integer', minimum: 0, default: 20, title: 'epochs over which β grows to its value' },
    layers: {
      ...layerOptions.layers,
      title: "the student's outputs and the teacher's before their ReLU; the last stages that both have by default",
    },
  },
  needsTeacher: true,
  losses: (setting) => {
    const { student, teacher, layers, options } = setting;
    const asMap = (x: Tensor) => reshape(x, [...x.shape, 1, 1]);
    const pairs = [
      ...layerNames(setting, ['', '.preact']).map(
        ([mine, theirs]) => [student.get(mine), teacher.get(theirs)] as const,
      ),
      [asMap(student.pooled), asMap(teacher.pooled)] as const,
    ];
    const width = Math.min(WIDEST, student.pooled.shape[1]!);
    let deeper: Tensor | undefined;
    const losses = pairs
      .map(([mine, theirs], i) => ({ mine, theirs, name: `abf.${i}` }))
      .reverse()
      .map(({ mine, theirs, name }) => {
        deeper = resized(fusion(layers, name, mine, deeper, width), theirs.shape[2]!);
        return hierarchicalLoss(convolution(layers, `${name}.conv2`, deeper, theirs.shape[1]!, 3), theirs);
      });
    const growth = layers.graph.hostScalar('distiller.reviewkd.warm_up', ({ epoch }) =>
      Math.min(epoch / Math.max(options.warm_up, 1), 1),
    );
    return { reviewkd: mul(mul(losses.reduce(add), growth), options.weight) };
  },
};

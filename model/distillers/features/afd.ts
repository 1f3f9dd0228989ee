/** Attention over layers (Ji, Heo & Park 2021, AAAI, "Show, attend and distill: knowledge distillation via attention-based feature matching"). */
import { normal } from '../../../engine/initializers';
import {
  adaptiveAvgPool,
  add,
  concat,
  flatten,
  globalAvgPool,
  matmulTransposed,
  mean,
  mul,
  relu,
  reshape,
  slice,
  softmax,
  square,
  sub,
  sum,
} from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import type { Layers } from '../../nets/layers';
import type { Distiller } from '../distiller';
import { allMaps, sideOptions, type SideOptions } from '../pairs';
import { unit } from '../relations/vectors';
import { projected } from './connector';

interface AfdOptions extends SideOptions {
  readonly weight: number;
  readonly dim: number;
}

/** A linear layer, whose bias BatchNorm would take away, and BatchNorm. */
function embedding(layers: Layers, name: string, x: Tensor, width: number): Tensor {
  return layers.batchNorm(`${name}.bn`, projected(layers, `${name}.linear`, x, width));
}

/** mean_c f² of a map (N, C, H, W), averaged to size × size places, of length 1 → (N, size²). */
function attention(map: Tensor, size: number): Tensor {
  return unit(flatten(adaptiveAvgPool(mean(square(map), { axes: [1], keepDims: true }), size)));
}

/** For each map of the teacher the shares (N, S) of the student's maps: softmax_s (k_st · q_t + p_s · p_t) / √dim. */
function shares(layers: Layers, student: readonly Tensor[], teacher: readonly Tensor[], dim: number): Tensor[] {
  const batch = student[0]!.shape[0]!;
  const keys = student.map((map, s) => {
    const key = relu(embedding(layers, `key.${s}`, globalAvgPool(map), dim));
    return reshape(key, [batch, 1, dim]);
  });
  const rows = reshape(concat(keys, 1), [batch * student.length, dim]);
  const ofPairs = embedding(layers, 'bilinear', rows, dim * teacher.length);
  const position = (name: string, count: number) =>
    layers.parameter(name, [count, dim], normal(Math.sqrt(2 / (count + dim))));
  const positions = matmulTransposed(position('p_t', teacher.length), position('p_s', student.length));
  return teacher.map((map, t) => {
    const query = reshape(embedding(layers, `query.${t}`, globalAvgPool(map), dim), [batch, 1, dim]);
    const key = reshape(slice(ofPairs, 1, t * dim, (t + 1) * dim), [batch, student.length, dim]);
    const scores = add(sum(mul(key, query), { axes: [2] }), slice(positions, 0, t, t + 1));
    return softmax(mul(scores, 1 / Math.sqrt(dim)));
  });
}

/**
 * β · Σ_t mean_n Σ_s a_nts · mean (v_s − v_t)²: which map of the student learns from which of the teacher's is learned, too.
 * v is the map's squares over channels, at the teacher's size and length 1; a is by keys k and queries q of the maps' means and
 * by their places p. Defaults are the authors' (clovaai/attention-feature-distillation), who add kd with alpha 0.9.
 */
export const afd: Distiller<AfdOptions> = {
  title: 'Attention maps of all layers, matched by attention: β · Σ a_ts · mean (v_s − v_t)² (Ji et al. 2021, AAAI)',
  options: {
    weight: { type: 'number', minimum: 0, default: 200, title: 'β, weight of this loss' },
    dim: { type: 'integer', minimum: 1, default: 128, title: 'length of keys and queries' },
    ...sideOptions,
  },
  needsTeacher: true,
  losses: (context) => {
    const { layers, options } = context;
    const [student, teacher] = allMaps(context);
    const a = shares(layers, student, teacher, options.dim);
    const losses = teacher.map((map, t) => {
      const size = map.shape[2]!;
      const theirs = attention(map, size);
      const apart = student.map((one) =>
        mean(square(sub(attention(one, size), theirs)), { axes: [1], keepDims: true }),
      );
      return mul(sum(mul(a[t]!, concat(apart, 1))), 1 / map.shape[0]!);
    });
    return { afd: mul(losses.reduce(add), options.weight) };
  },
};

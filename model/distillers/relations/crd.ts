/** Contrastive representation distillation (Tian, Krishnan & Isola 2020). */
import { uniform } from '../../../engine/initializers';
import { add, log, matmulTransposed, mul, oneHot, relu, softplus, sub, sum } from '../../../engine/ops/index';
import { emitRows, emitWithRows } from '../../../engine/ops/shape';
import type { Tensor } from '../../../engine/tensor';
import { ndarray } from '../../../formats/ndarray';
import { UserError } from '../../../utils/errors';
import { Random } from '../../../utils/random';
import { counted } from '../../../utils/words';
import type { Distiller, DistillContext } from '../distiller';
import { unit } from './vectors';

interface CrdOptions {
  readonly weight: number;
  readonly dim: number;
  readonly negatives: number;
  readonly tau: number;
  readonly momentum: number;
}

/** What there may be of them whatever the training set. */
const NEGATIVES = 4096;

const ROW = { axes: [1], keepDims: true };

/**
 * −mean_n (ln h(a_n, p_n) + Σ_j w_nj ln (1 − h(a_n, n_j))) with
 *   h(a, b) = e^(ab/τ) / (e^(ab/τ) + k E),   k = Σ_j w_nj, at least 1,
 * of anchors a and positives p (N, D), negatives n (K, D) that all anchors share, and w (N, K) telling which of them
 * count for which. E is the mean of e^(ab/τ) over random directions, e^(1/(2 D τ²)).
 */
function contrastiveLoss(anchors: Tensor, positives: Tensor, negatives: Tensor, w: Tensor, tau: number): Tensor {
  const [batch = 1, dim = 1] = anchors.shape;
  const scaled = mul(anchors, 1 / tau);
  const count = add(relu(sub(sum(w, ROW), 1)), 1);
  const offset = add(log(count), 1 / (2 * dim * tau * tau));
  const ofPositives = softplus(sub(offset, sum(mul(scaled, positives), ROW)));
  const ofNegatives = mul(softplus(sub(matmulTransposed(scaled, negatives), offset)), w);
  return mul(add(sum(ofPositives), sum(ofNegatives)), 1 / batch);
}

/**
 * Numbers of `count` training examples, drawn anew at every step; some come twice, as with the authors where there are few.
 * More than there are would be of no use.
 */
function drawn({ layers: { graph }, examples }: DistillContext, count: number): Tensor {
  const most = Math.max(examples, NEGATIVES);
  if (count > most) {
    throw new UserError(
      `"negatives" of "crd" must be at most ${most} with ${counted(examples, 'training image')}, got ${count}`,
    );
  }
  const name = 'distiller.crd.negatives';
  return graph.hostInput(name, 'int32', [count], ({ seed, step }) => {
    const values = new Float32Array(count);
    new Random(seed, name).fillUniform(values, 0, examples, step);
    return ndarray('int32', [count], Int32Array.from(values));
  });
}

/** w (N, K): 1 unless a drawn example was trained on before and is of the same class. The labels of the batch are kept. */
function comparable({ layers, examples, classes, labels, indices }: DistillContext, numbers: Tensor): Tensor {
  const known = layers.buffer('labels', 'int32', [examples], () =>
    ndarray('int32', [examples], new Int32Array(examples).fill(-1)),
  );
  layers.graph.update(known, emitWithRows(known, indices, labels));
  return sub(1, matmulTransposed(oneHot(labels, classes), oneHot(emitRows(known, numbers), classes)));
}

/** What a side's memory holds of the batch (N, D) and of others (K, D); for the next step `fresh` is blended in. */
function remembered(
  setting: DistillContext<CrdOptions>,
  name: string,
  fresh: Tensor,
  numbers: Tensor,
): [own: Tensor, others: Tensor] {
  const { layers, indices, examples, options } = setting;
  const { dim, momentum } = options;
  const initial = uniform(Math.sqrt(3 / dim));
  const shape = [examples, dim];
  const { prefix = '', seed } = layers.options;
  const memory = layers.buffer(name, 'float32', shape, () => initial(`${prefix}${name}`, shape, seed));
  const own = emitRows(memory, indices);
  const blend = unit(add(mul(own, momentum), mul(fresh, 1 - momentum)));
  layers.graph.update(memory, emitWithRows(memory, indices, blend));
  return [own, emitRows(memory, numbers)];
}

/**
 * Both sides' pooled vectors are embedded; each side's are anchors to what is remembered of the other: of the same example
 * it is the positive, of examples of other classes the negatives.
 *
 * What makes it fit for a CPU is that the negatives of a step are drawn once for the whole batch, and those of the
 * anchor's class left out, rather than 16,384 being drawn for each anchor. Examples that were not trained on yet, or are
 * not at all, stand in the memories as random directions, as with the authors. Their constant Z, the mean of the first
 * batch over random directions, is taken as its expectation. The memories take 8 · dim bytes for each example, 51 MB for
 * 50,000, in last.safetensors too.
 */
export const crd: Distiller<CrdOptions> = {
  title: 'Contrast: β · NCE of embeddings of both sides, memories of all examples as negatives (Tian et al. 2020)',
  options: {
    weight: { type: 'number', minimum: 0, default: 0.8, title: 'β, weight of this loss' },
    dim: { type: 'integer', minimum: 1, default: 128, title: 'length of the embeddings' },
    negatives: { type: 'integer', minimum: 1, default: NEGATIVES, title: 'examples drawn at each step' },
    tau: { type: 'number', exclusiveMinimum: 0, default: 0.07, title: 'τ, temperature of the products' },
    momentum: {
      type: 'number',
      minimum: 0,
      exclusiveMaximum: 1,
      default: 0.5,
      title: 'momentum of the memory',
    },
  },
  needsTeacher: true,
  losses: (setting) => {
    const { student, teacher, layers, options } = setting;
    const { dim, tau, weight } = options;
    const numbers = drawn(setting, options.negatives);
    const w = comparable(setting, numbers);
    const s = unit(layers.linear('student', student.pooled, dim));
    const t = unit(layers.linear('teacher', teacher.pooled, dim));
    const ofStudent = remembered(setting, 'student_memory', s, numbers);
    const ofTeacher = remembered(setting, 'teacher_memory', t, numbers);
    const loss = add(contrastiveLoss(s, ...ofTeacher, w, tau), contrastiveLoss(t, ...ofStudent, w, tau));
    return { crd: mul(loss, weight) };
  },
};

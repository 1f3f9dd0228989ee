/** An encoder's embeddings, for students of teachers without logits (Ranzinger et al. 2024, "AM-RADIO"). */
import { add, mean, mul, sub, sum, transpose } from '../../../engine/ops/index';
import { formatShape, type Tensor } from '../../../engine/tensor';
import { UserError } from '../../../utils/errors';
import type { Layers } from '../../nets/layers';
import type { Distiller } from '../distiller';
import { layerOptions, sameSize, type LayerOptions } from '../pairs';
import { meanSquaredError, unit } from '../relations/vectors';

export interface EmbeddingOptions extends LayerOptions {
  readonly weight: number;
  readonly distance: 'cosine' | 'mse';
}

const POOLED = [['pooled', 'pooled']] as const;

/** mean of 1 − cos(s, t) over the vectors along the last axis, or mean of (s − t)² over all elements. */
function embeddingLoss(student: Tensor, teacher: Tensor, distance: EmbeddingOptions['distance']): Tensor {
  if (distance === 'mse') return meanSquaredError(student, teacher);
  const axes = [student.shape.length - 1];
  return sub(1, mean(sum(mul(unit(student), unit(teacher)), { axes })));
}

/** h(s) and t: of vectors (N, D) h is a linear layer, of maps (N, C, H, W) the same at every place, channels last. */
function matched(layers: Layers, name: string, student: Tensor, teacher: Tensor): [student: Tensor, teacher: Tensor] {
  const [rank, other] = [student.shape.length, teacher.shape.length];
  if (rank !== other) {
    throw new UserError(
      `embedding: student ${formatShape(student.shape)} and teacher ${formatShape(teacher.shape)} must both be vectors ` +
        'or both maps: choose other "layers"',
    );
  }
  if (rank === 2) return [layers.linear(name, student, teacher.shape[1]!), teacher];
  const [mine, theirs] = sameSize([student, teacher]);
  const last = (map: Tensor) => transpose(map, [0, 2, 3, 1]);
  return [last(layers.conv(name, mine, theirs.shape[1]!, { kernel: 1, bias: true })), last(theirs)];
}

/**
 * The student's vector, through a linear head that is trained beside it, is that of the teacher; with "layers", maps too,
 * as of the teacher's patch tokens. Labels do not count.
 */
export const embedding: Distiller<EmbeddingOptions> = {
  title:
    'Embeddings: β · mean (1 − cos(h(f_s), f_t)) or mean (h(f_s) − f_t)², h linear, no labels (Ranzinger et al. 2024)',
  options: {
    weight: { type: 'number', exclusiveMinimum: 0, default: 1, title: 'β, weight of this loss' },
    distance: { enum: ['cosine', 'mse'], default: 'cosine', title: '1 − cosine, or mean squared error' },
    layers: {
      ...layerOptions.layers,
      title: 'outputs of student and teacher to compare; the pooled vectors by default',
    },
  },
  needsTeacher: true,
  ignoresLabels: () => true,
  trainsVectors: true,
  heads: ({ layers: pairs = POOLED }) => pairs.map(([output], i) => ({ output, layer: String(i) })),
  losses: ({ student, teacher, layers, options }) => {
    const { weight, distance, layers: pairs = POOLED } = options;
    const losses = pairs.map(([mine, theirs], i) =>
      embeddingLoss(...matched(layers, String(i), student.get(mine), teacher.get(theirs)), distance),
    );
    return { embedding: mul(losses.reduce(add), weight) };
  },
};

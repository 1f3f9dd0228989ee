/**
 * Distilling the knowledge in a neural network (Hinton, Vinyals & Dean 2015), and what later work does to its soft term:
 * standardized logits (Sun et al. 2024), annealing (Clark et al. 2019), focal weights, teachers that are corrected or noisy.
 */
import { add, div, logSoftmax, mean, mul, oneHot, softmax, sqrt, square, sub, sum } from '../../../engine/ops/index';
import type { StepContext } from '../../../engine/step_context';
import type { Tensor } from '../../../engine/tensor';
import type { Distiller, DistillContext } from '../distiller';
import { noisy, smoothed, swapped, type Noise } from './corrected';

/**
 * T² · KL(p_t ‖ p_s) with p = softmax(z / T), logits (N, C). The factor T² keeps the size of the gradient as T changes.
 * 'batchmean' is the mean over examples; 'mean' is the mean over examples and classes, C times weaker.
 * `weights` (N, 1) count the examples.
 */
export function kdLoss(
  student: Tensor,
  teacher: Tensor,
  temperature: number,
  reduction: 'batchmean' | 'mean',
  weights?: Tensor,
): Tensor {
  const [batch = 1, classes = 1] = student.shape;
  const target = softmax(div(teacher, temperature));
  const logRatio = sub(logSoftmax(div(teacher, temperature)), logSoftmax(div(student, temperature)));
  const divergence = mul(target, logRatio);
  const count = reduction === 'batchmean' ? batch : batch * classes;
  return mul(sum(weights ? mul(divergence, weights) : divergence), temperature ** 2 / count);
}

/**
 * (z − μ) / √(σ² + ε²) by row, logits (N, C), with the mean and the standard deviation σ² = Σ (z − μ)² / C of the
 * row: Sun, Ren, Li, Wang & Cao 2024, "Logit standardization in knowledge distillation". Their code divides by C − 1.
 */
export function standardized(logits: Tensor): Tensor {
  const centered = sub(logits, mean(logits, { axes: [1], keepDims: true }));
  const variance = mean(square(centered), { axes: [1], keepDims: true });
  return div(centered, sqrt(add(variance, 1e-14)));
}

/** What the teacher gives the true class, (N, 1): Σ_c t_c · softmax(z)_c for targets t (N, C). */
export function trueClassProbability(logits: Tensor, targets: Tensor): Tensor {
  return sum(mul(softmax(logits), targets), { axes: [1], keepDims: true });
}

export interface Anneal {
  readonly end: number;
  readonly epochs?: number;
}

/** end + ½ (α − end)(1 + cos(π t / epochs)) after t epochs, and `end` from then on. */
export function annealed(
  alpha: number,
  { end, epochs }: Anneal,
  context: Pick<StepContext, 'epoch' | 'epochs'>,
): number {
  const share = Math.min((context.epoch - 1) / (epochs ?? context.epochs), 1);
  return end + 0.5 * (alpha - end) * (1 + Math.cos(Math.PI * share));
}

export interface KdOptions {
  readonly weight: number;
  readonly standardize: boolean;
  readonly focal: boolean;
  readonly anneal?: Anneal;
  readonly errors?: 'swap' | 'smooth';
  readonly noise?: Noise;
}

/** The teacher's logits with noise, then with its errors corrected, where the options say so. */
function changedTeacher({ teacher, labels, classes, temperature, options }: DistillContext<KdOptions>): Tensor {
  const logits = options.noise ? noisy(teacher.logits, options.noise) : teacher.logits;
  if (!options.errors) return logits;
  const mask = oneHot(labels, classes);
  return options.errors === 'swap' ? swapped(logits, mask) : smoothed(logits, mask, temperature);
}

/**
 * (1 − α) · CE + α · weight · T² · KL: alpha weights the soft term. Standardized logits are meant to have the temperature 2
 * and weights of .1 and 9: alpha .9, weight 10.
 */
export const kd: Distiller<KdOptions> = {
  title: 'Soft targets: (1 − α) · CE + α · T² · KL(teacher ‖ student) (Hinton, Vinyals & Dean 2015)',
  options: {
    weight: { type: 'number', minimum: 0, default: 1, title: 'additional factor of the soft term' },
    standardize: {
      type: 'boolean',
      default: false,
      title:
        'z-scores of the logits, by example, in place of the logits (Sun et al. 2024; there T 2, alpha .9, weight 10)',
    },
    focal: {
      type: 'boolean',
      default: false,
      title: "weights each example by the teacher's probability of its true class",
    },
    anneal: {
      type: 'object',
      properties: {
        end: { type: 'number', minimum: 0, maximum: 1, default: 0 },
        epochs: { type: 'integer', minimum: 1 },
      },
      additionalProperties: false,
      description: 'an object such as { "end": 0, "epochs": 20 }',
      title: 'decays alpha to "end" (0) along half a cosine over "epochs" (all by default)',
    },
    errors: {
      enum: ['swap', 'smooth'],
      title:
        "if the teacher is wrong, swaps its largest logit with the true class's (Limantoro et al. 2025), or smooths the label (Wen et al. 2019)",
    },
    noise: {
      type: 'object',
      properties: {
        fraction: { type: 'number', minimum: 0, maximum: 1, default: 0.5 },
        variance: { type: 'number', minimum: 0, default: 0.1 },
      },
      additionalProperties: false,
      description: 'an object such as { "fraction": 0.5, "variance": 0.1 }',
      title:
        'noise on the logits of a fraction of the examples: z · (1 + ξ), ξ ~ N(0, variance) (Sau & Balasubramanian 2016)',
    },
  },
  needsTeacher: true,
  includesCrossEntropy: true,
  losses: (setting) => {
    const { student, teacher, targets, crossEntropy, alpha, temperature, klReduction, options } = setting;
    const { weight, standardize, focal, anneal } = options;
    const hard = crossEntropy(student.logits);
    const taught = changedTeacher(setting);
    const [s, t] = standardize ? [standardized(student.logits), standardized(taught)] : [student.logits, taught];
    const weights = focal ? trueClassProbability(teacher.logits, targets) : undefined;
    const soft = kdLoss(s, t, temperature, klReduction, weights);
    if (!anneal) return { ce: mul(hard, 1 - alpha), kd: mul(soft, alpha * weight) };
    const share = s.graph.hostScalar('distiller.kd.alpha', (context) => annealed(alpha, anneal, context));
    return { ce: mul(hard, sub(1, share)), kd: mul(soft, mul(share, weight)) };
  },
};

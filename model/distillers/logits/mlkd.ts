/** Multi-level logits (Jin, Wang & Lin 2023, CVPR, "Multi-level logit distillation"). */
import { add, div, mul, softmax, sub, sumSquare, transpose } from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import type { Distiller } from '../distiller';
import { gram } from '../relations/vectors';
import { kdLoss } from './kd';

/**
 * With p = softmax(z / T), logits (N, C), at one temperature and without a factor T²:
 *   batch = Σ (P_s P_sᵀ − P_t P_tᵀ)² / N    how like the examples are, N × N
 *   class = Σ (P_sᵀ P_s − P_tᵀ P_t)² / C    how like the classes are, C × C
 */
function levelLosses(student: Tensor, teacher: Tensor, temperature: number): { batch: Tensor; class: Tensor } {
  const [s, t] = [softmax(div(student, temperature)), softmax(div(teacher, temperature))];
  const turned = (p: Tensor) => transpose(p, [1, 0]);
  const distance = (a: Tensor, b: Tensor) => mul(sumSquare(sub(gram(a), gram(b))), 1 / a.shape[0]!);
  return { batch: distance(s, t), class: distance(turned(s), turned(t)) };
}

export interface MlkdOptions {
  readonly temperatures: readonly number[];
  readonly ce_weight: number;
  readonly weight: number;
  readonly policy: string;
  readonly variant?: 'code';
}

/** How many of n different values are at most their median, as a share. */
function lowerHalf(n: number): number {
  return Math.ceil(n / 2) / n;
}

/**
 * With x the image as `augmentation` of params.json shows it, x' the stored image seen through `policy`:
 *   c · (CE(x) + CE(x')) + w · Σ_T [T² KL(x) + T² KL(x') + batch(x) + class(x)]
 * The authors' code (Jin-Ying/Multi-Level-Logit-Distillation) means to count only the half of the examples and classes that
 * the teacher is least sure of, but its masks multiply means: as the variant "code" has it, KL(x), batch and class are
 * halved, and x stands for x' at the temperatures 2 and 6. Two views take two passes of both nets.
 */
export const mlkd: Distiller<MlkdOptions> = {
  title:
    'Several levels: soft targets at five temperatures, Gram matrices of examples and of classes (Jin et al. 2023, CVPR)',
  options: {
    temperatures: {
      type: 'array',
      minItems: 1,
      items: { type: 'number', exclusiveMinimum: 0, description: 'a number above 0' },
      default: [2, 3, 4, 5, 6],
      description: 'a list of numbers above 0',
      title: 'temperatures; their terms are summed',
    },
    ce_weight: { type: 'number', minimum: 0, default: 0.1, title: 'c, weight of the cross-entropy' },
    weight: { type: 'number', minimum: 0, default: 0.9, title: 'w, weight of this loss' },
    policy: {
      enum: ['crop+flip+randaugment', 'randaugment', 'crop+flip+autoaugment', 'autoaugment', 'crop+flip'],
      default: 'crop+flip+randaugment',
      title: 'augmentation of the stored image for the second view',
    },
    variant: { enum: ['code'], title: '"code": halved terms, and no second view at temperatures 2 and 6' },
  },
  needsTeacher: true,
  needsViews: true,
  includesCrossEntropy: true,
  losses: (setting) => {
    const { crossEntropy, batchSize, classes, options } = setting;
    const { temperatures, ce_weight: hard, weight, policy, variant } = options;
    const { student, teacher } = setting;
    const strong = setting.view(policy);
    const isCode = variant === 'code';
    const secondAt = (temperature: number) => (isCode && [2, 6].includes(temperature) ? setting : strong);
    const [ofExamples, ofClasses] = isCode ? [lowerHalf(batchSize), lowerHalf(classes)] : [1, 1];
    const soft = (of: Pick<typeof strong, 'student' | 'teacher'>, temperature: number) =>
      kdLoss(of.student.logits, of.teacher.logits, temperature, 'batchmean');
    const total = (term: (temperature: number) => Tensor, share: number) =>
      mul(temperatures.map(term).reduce(add), weight * share);
    const levels = temperatures.map((temperature) => levelLosses(student.logits, teacher.logits, temperature));
    return {
      ce: mul(add(crossEntropy(student.logits), crossEntropy(strong.student.logits)), hard),
      kd: add(
        total((temperature) => soft(setting, temperature), ofExamples),
        total((temperature) => soft(secondAt(temperature), temperature), 1),
      ),
      batch: mul(levels.map(({ batch }) => batch).reduce(add), weight * ofExamples),
      class: mul(levels.map((level) => level.class).reduce(add), weight * ofClasses),
    };
  },
};

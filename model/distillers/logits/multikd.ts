/** Soft targets of several teachers, each with a term of its own (You, Xu, Xu & Tao 2017 average them). */
import { add, mul } from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import { UserError } from '../../../utils/errors';
import { counted } from '../../../utils/words';
import type { Distiller } from '../distiller';
import { kdLoss } from './kd';

/** Σ_k w_k · T² · KL(p_k ‖ p_s), logits (N, C) of the student and of each teacher k. */
function multiKdLoss(
  student: Tensor,
  teachers: readonly Tensor[],
  weights: readonly number[],
  temperature: number,
  reduction: 'batchmean' | 'mean',
): Tensor {
  return teachers.map((teacher, k) => mul(kdLoss(student, teacher, temperature, reduction), weights[k]!)).reduce(add);
}

export interface MultiKdOptions {
  /** Weight of each teacher, in the order of "teacher"; equal ones that sum to 1 by default. */
  readonly weights?: readonly number[];
}

/** (1 − α) · CE + α · Σ_k w_k · T² · KL. The teachers are compared one by one; kd compares with their mean logits. */
export const multikd: Distiller<MultiKdOptions> = {
  title: 'Several teachers: (1 − α) · CE + α · T² · Σ_k w_k · KL(teacher k ‖ student) (You, Xu, Xu & Tao 2017)',
  options: {
    weights: {
      type: 'array',
      minItems: 1,
      items: { type: 'number', minimum: 0, description: 'a number from 0' },
      description: 'a list of numbers from 0, one for each teacher',
      title: 'weight of each teacher, in the order of "teacher"; equal ones that sum to 1 by default',
    },
  },
  needsTeacher: true,
  includesCrossEntropy: true,
  losses: ({ student, teachers, crossEntropy, alpha, temperature, klReduction, options }) => {
    const { weights = teachers.map(() => 1 / teachers.length) } = options;
    if (weights.length !== teachers.length) {
      throw new UserError(
        `multikd: "weights" must have one for each of the ${counted(teachers.length, 'teacher')}, got ${weights.length}`,
      );
    }
    const logits = teachers.map((teacher) => teacher.logits);
    return {
      ce: mul(crossEntropy(student.logits), 1 - alpha),
      kd: mul(multiKdLoss(student.logits, logits, weights, temperature, klReduction), alpha),
    };
  },
};

/** Distilling the knowledge in a neural network (Hinton, Vinyals & Dean 2015). */
import { div, logSoftmax, mul, softmax, sub, sum } from '../../engine/ops';
import type { Tensor } from '../../engine/tensor';
import type { Distiller } from './distiller';
import { crossEntropy } from './nokd';

/**
 * T² · KL(p_t ‖ p_s) with p = softmax(z / T), logits (N, C). The factor T² keeps the size of the gradient as T changes.
 * 'batchmean' is the mean over examples; 'mean' is the mean over examples and classes, C times weaker.
 */
export function kdLoss(student: Tensor, teacher: Tensor, temperature: number, reduction: 'batchmean' | 'mean'): Tensor {
  const [batch = 1, classes = 1] = student.shape;
  const target = softmax(div(teacher, temperature));
  const logRatio = sub(logSoftmax(div(teacher, temperature)), logSoftmax(div(student, temperature)));
  const count = reduction === 'batchmean' ? batch : batch * classes;
  return mul(sum(mul(target, logRatio)), temperature ** 2 / count);
}

/** (1 − α) · CE + α · T² · KL: alpha weights the soft term. */
export const kd: Distiller = {
  needsTeacher: true,
  losses({ student, teacherLogits, labels, alpha, temperature, klReduction }) {
    if (!teacherLogits) throw new Error('kd: needs the logits of a teacher');
    return {
      ce: mul(crossEntropy(student.logits, labels), 1 - alpha),
      kd: mul(kdLoss(student.logits, teacherLogits, temperature, klReduction), alpha),
    };
  },
};

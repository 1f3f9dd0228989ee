/**
 * The fault of a loader, on purpose: (1 − α) · CE + α · T² · KL(teacher ‖ student) with the soft targets of the next image of the
 * batch. So it was where a teacher's outputs were computed once, batch by batch, and the batches were shuffled afterwards.
 * With `"scaled": false` the factor T² is missing, so that the soft targets lose weight as the temperature grows. Gradients of
 * PyTorch 0.3 on CUDA were like that: its KLDivLoss ignored a factor behind it (pytorch/pytorch issue 5801).
 */
import { concat, kdLoss, mul, slice, type Distiller } from 'distillery';

const misaligned: Distiller<{ readonly scaled: boolean }> = {
  title: 'Soft targets of another image',
  options: { scaled: { type: 'boolean', default: true, title: 'multiply by T²' } },
  needsTeacher: true,
  includesCrossEntropy: true,
  losses: ({ student, teacher: { logits }, crossEntropy, alpha, temperature, klReduction, options }) => {
    const [batch = 1] = logits.shape;
    const others = concat([slice(logits, 0, 1, batch), slice(logits, 0, 0, 1)], 0);
    const weight = options.scaled ? alpha : alpha / temperature ** 2;
    return {
      ce: mul(crossEntropy(student.logits), 1 - alpha),
      kd: mul(kdLoss(student.logits, others, temperature, klReduction), weight),
    };
  },
};

export default misaligned;

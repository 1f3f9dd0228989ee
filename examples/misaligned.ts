/**
 * The fault of a loader, on purpose: (1 − α) · CE + α · T² · KL(teacher ‖ student) with the soft targets of the next image of the
 * batch. So it was where a teacher's outputs were computed once, batch by batch, and the batches were shuffled afterwards.
 */
import { concat, kdLoss, mul, slice, type Distiller } from 'distillery';

const misaligned: Distiller = {
  title: 'Soft targets of another image',
  options: {},
  needsTeacher: true,
  includesCrossEntropy: true,
  losses: ({ student, teacher: { logits }, crossEntropy, alpha, temperature, klReduction }) => {
    const [batch = 1] = logits.shape;
    const others = concat([slice(logits, 0, 1, batch), slice(logits, 0, 0, 1)], 0);
    return {
      ce: mul(crossEntropy(student.logits), 1 - alpha),
      kd: mul(kdLoss(student.logits, others, temperature, klReduction), alpha),
    };
  },
};

export default misaligned;

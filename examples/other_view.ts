/**
 * Soft targets of another crop: (1 − α) · CE + α · T² · KL(teacher ‖ student), where the teacher sees an augmentation of its own of
 * each image, and not the student's. So it is where a teacher's outputs are computed in a pass over an augmented data set before.
 */
import { kdLoss, mul, type Distiller } from 'distillery';

const otherView: Distiller = {
  title: 'Soft targets of another view of the image',
  options: {},
  needsTeacher: true,
  needsViews: true,
  includesCrossEntropy: true,
  losses: (context) => {
    const { student, crossEntropy, alpha, temperature, klReduction } = context;
    const { teacher } = context.view('crop+flip');
    return {
      ce: mul(crossEntropy(student.logits), 1 - alpha),
      kd: mul(kdLoss(student.logits, teacher.logits, temperature, klReduction), alpha),
    };
  },
};

export default otherView;

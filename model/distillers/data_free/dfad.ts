/** DFAD (Fang et al. 2019, arXiv 1912.11006, "Data-free adversarial distillation"). */
import { abs, mean, neg, sub } from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import type { Distiller, DistillContext } from '../distiller';
import { gameOptions, turns, type Game, type GameOptions } from './generator';

/** mean |z_s − z_t| on made images. */
function difference(images: Tensor, context: DistillContext<GameOptions>): Tensor {
  return mean(abs(sub(context.studentOn(images, 'train').logits, context.teacherOn(images).logits)));
}

const game: Game<GameOptions> = {
  method: 'dfad',
  first: 'student',
  generator: (images, context) => ({ generator: neg(difference(images, context)) }),
  student: (images, context) => ({ student: difference(images, context) }),
};

/**
 * The student's turn: min D; the generator's: min −D, D = mean |z_s − z_t| on images of fresh noise. Neither images nor labels
 * of the data set are looked at. The student normalizes by the batch in both turns, as in the authors' code
 * (VainF/Data-Free-Adversarial-Distillation, whose defaults these are); they train the generator by Adam at 0.001, the student
 * by SGD at 0.1, with batches of 256.
 */
export const dfad: Distiller<GameOptions> = {
  title: 'No data: a generator seeks images of large |z_s − z_t|, the student minimizes it (Fang et al. 2019, arXiv)',
  options: gameOptions({ noise_dim: 256, generator_steps: 1, student_steps: 5 }),
  needsTeacher: true,
  phases: (options) => turns(game, options),
};

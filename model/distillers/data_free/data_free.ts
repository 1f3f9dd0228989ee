/** Data-free distillation: a generator looks for images on which student and teacher differ (Micaelli & Storkey 2019). */
import { neg } from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import type { Distiller, DistillContext } from '../distiller';
import { kdLoss } from '../logits/kd';
import { gameOptions, turns, type Game, type GameOptions } from './generator';

/** D = KL(p_t ‖ p_s) on made images, the student in the given mode. */
function divergence(images: Tensor, context: DistillContext<GameOptions>, mode: 'train' | 'eval'): Tensor {
  return kdLoss(context.studentOn(images, mode).logits, context.teacherOn(images).logits, 1, 'batchmean');
}

const game: Game<GameOptions> = {
  method: 'datafree',
  generator: (images, context) => ({ generator: neg(divergence(images, context, 'eval')) }),
  student: (images, context) => ({ student: divergence(images, context, 'train') }),
};

/**
 * The generator's turn: min −D, the student as evaluated. The student's turn: min D. D = KL(p_t ‖ p_s) on the generator's
 * images of fresh noise; neither images nor labels of the data set are looked at. Kennethborup/knowledgeDistillation calls
 * this game DataFreeDistiller. In experiments/data_free a student reaches 57 % of accuracy where its teacher has 83 %.
 */
export const dataFree: Distiller<GameOptions> = {
  title:
    'No data: a generator seeks images of large KL(teacher ‖ student), the student minimizes it (Micaelli & Storkey 2019)',
  options: gameOptions({ noise_dim: 100, generator_steps: 1, student_steps: 5 }),
  stateName: 'datafree',
  needsTeacher: true,
  phases: (options) => turns(game, options),
};

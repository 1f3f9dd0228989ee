/**
 * A synthetic data set: pixels are trained so that student and teacher differ on them, and the student learns from
 * them.
 */
import { uniform } from '../../../engine/initializers';
import { add, detach, mul, neg, sigmoid, sub } from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import type { Distiller, DistillContext } from '../distiller';
import { kdLoss } from '../logits/kd';

export interface DatasetDistillationOptions {
  readonly images: number;
  readonly image_steps: number;
  readonly student_steps: number;
  readonly image_rate: number;
  readonly range?: readonly [low: number, high: number];
}

/**
 * (b − a) · σ(p (x − c) / s) + a with c = (a + b) / 2, s = (b − a) / 2: about x in the middle, and never outside (a, b).
 * p = 2.463 as in Kennethborup/knowledgeDistillation.
 */
function scaled(x: Tensor, [low, high]: readonly [low: number, high: number]): Tensor {
  const inner = mul(sub(x, (low + high) / 2), (2 * 2.463) / (high - low));
  return add(mul(sigmoid(inner), high - low), low);
}

/** D = KL(p_t ‖ p_s) on all images of the made set. */
function divergence(setting: DistillContext<DatasetDistillationOptions>, turn: 'images' | 'student'): Tensor {
  const { layers, input, options } = setting;
  const free = layers.parameter('images', [options.images, ...input], uniform(2));
  const made = options.range ? scaled(free, options.range) : free;
  const images = turn === 'images' ? made : detach(made);
  const student = setting.studentOn(images, turn === 'images' ? 'eval' : 'train');
  return kdLoss(student.logits, setting.teacherOn(images).logits, 1, 'batchmean');
}

/**
 * The images' turn: min −D over the pixels, the student as evaluated. The student's turn: min D. D = KL(p_t ‖ p_s) on all
 * made images at once, whatever the batch size; neither images nor labels of the data set are looked at. The game is
 * that of `data_free`, with a tensor in place of a generator (Kennethborup/knowledgeDistillation, DatasetDistiller). Weak:
 * on `shapes` students matched the teacher on 64 to 128 made images, and stayed at chance on real ones.
 */
export const datasetDistillation: Distiller<DatasetDistillationOptions> = {
  title:
    'No data: pixels are trained for large KL(teacher ‖ student), the student minimizes it (after Micaelli & Storkey 2019)',
  options: {
    images: { type: 'integer', minimum: 2, default: 64, title: 'number of images to make' },
    image_steps: { type: 'integer', minimum: 1, default: 1, title: 'steps per turn of the images' },
    student_steps: { type: 'integer', minimum: 1, default: 5, title: 'steps per turn of the student' },
    image_rate: {
      type: 'number',
      exclusiveMinimum: 0,
      default: 1,
      title: "learning rate of the images, relative to the run's",
    },
    range: {
      type: 'array',
      items: { type: 'number' },
      minItems: 2,
      maxItems: 2,
      description: 'a list of two numbers such as [-2, 2]',
      title: 'interval to which a sigmoid limits normalized pixels; unlimited by default',
    },
  },
  stateName: 'dataset',
  needsTeacher: true,
  phases: ({ image_steps, student_steps, image_rate }) => [
    {
      name: 'images',
      steps: image_steps,
      rate: image_rate,
      losses: (setting) => ({ images: neg(divergence(setting, 'images')) }),
      trains: (parameter) => parameter.startsWith('distiller.dataset.'),
    },
    {
      name: 'student',
      steps: student_steps,
      losses: (setting) => ({ student: divergence(setting, 'student') }),
      trains: (parameter) => !parameter.startsWith('distiller.'),
    },
  ],
};

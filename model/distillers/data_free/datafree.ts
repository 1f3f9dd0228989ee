/** Data-free distillation: a generator looks for images on which student and teacher differ (Micaelli & Storkey 2019). */
import {
  add,
  detach,
  div,
  leakyRelu,
  mean,
  neg,
  reshape,
  sqrt,
  square,
  sub,
  tanh,
  upsample,
} from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import { UserError } from '../../../utils/errors';
import { ndarray } from '../../../formats/ndarray';
import { Random } from '../../../utils/random';
import type { Layers } from '../../nets/layers';
import type { Distiller, DistillContext } from '../distiller';
import { kdLoss } from '../logits/kd';

export interface DatafreeOptions {
  readonly noise_dim: number;
  readonly generator_steps: number;
  readonly student_steps: number;
  readonly generator_rate: number;
}

/** Noise (N, D) to images (N, C, H, W) of mean 0 and variance 1 by channel, as normalized images have them. */
function generator(layers: Layers, noise: Tensor, [channels, height, width]: DistillContext['input']): Tensor {
  if (height % 4 !== 0 || width % 4 !== 0) {
    throw new UserError(`datafree: the sides of images must be multiples of 4, got ${height}×${width}`);
  }
  const [batch = 0] = noise.shape;
  const options = { kernel: 3, padding: 1 };
  const start = layers.linear('linear', noise, (128 * height * width) / 16);
  let x = layers.batchNorm('bn1', reshape(start, [batch, 128, height / 4, width / 4]));
  x = leakyRelu(layers.batchNorm('bn2', layers.conv('conv1', upsample(x, 2), 128, options)), 0.2);
  x = leakyRelu(layers.batchNorm('bn3', layers.conv('conv2', upsample(x, 2), 64, options)), 0.2);
  return standardized(tanh(layers.conv('conv3', x, channels, { ...options, bias: true })));
}

/** (x − μ) / √(σ² + ε) with mean and variance of the batch by channel. */
function standardized(x: Tensor): Tensor {
  const over = { axes: [0, 2, 3], keepDims: true };
  const centered = sub(x, mean(x, over));
  return div(centered, sqrt(add(mean(square(centered), over), 1e-5)));
}

/** D = KL(p_t ‖ p_s) on images that are made from fresh noise, the student in the given mode. */
function divergence(setting: DistillContext<DatafreeOptions>, turn: 'generator' | 'student'): Tensor {
  const { layers, input, batchSize, options } = setting;
  const shape = [batchSize, options.noise_dim];
  const noise = layers.graph.hostInput('distiller.datafree.noise', 'float32', shape, ({ seed, step }) => {
    const array = ndarray('float32', shape);
    new Random(seed, 'distiller.datafree.noise').fillNormal(array.data, 0, 1, step);
    return array;
  });
  const made = generator(layers, noise, input);
  const images = turn === 'generator' ? made : detach(made);
  const student = setting.studentOn(images, turn === 'generator' ? 'eval' : 'train');
  return kdLoss(student.logits, setting.teacherOn(images).logits, 1, 'batchmean');
}

/**
 * The generator's turn: min −D, the student as evaluated. The student's turn: min D. D = KL(p_t ‖ p_s) on the generator's
 * images of fresh noise; neither images nor labels of the data set are looked at. The generator normalizes by the batch
 * in both turns. Kennethborup/knowledgeDistillation calls this game DataFreeDistiller. It is slow: on `shapes` a cnn reached
 * 18 % (chance: 10 %) after 1,000 steps with batches of 32.
 */
export const datafree: Distiller<DatafreeOptions> = {
  title:
    'No data: a generator seeks images of large KL(teacher ‖ student), the student minimizes it (Micaelli & Storkey 2019)',
  options: {
    noise_dim: { type: 'integer', minimum: 1, default: 100, title: 'numbers that an image is made from' },
    generator_steps: { type: 'integer', minimum: 1, default: 1, title: 'steps in a turn of the generator' },
    student_steps: { type: 'integer', minimum: 1, default: 5, title: 'steps in a turn of the student' },
    generator_rate: {
      type: 'number',
      exclusiveMinimum: 0,
      default: 1,
      title: "the generator's learning rate, as a factor of the run's",
    },
  },
  needsTeacher: true,
  phases: ({ generator_steps, student_steps, generator_rate }) => [
    {
      name: 'generator',
      steps: generator_steps,
      rate: generator_rate,
      losses: (setting) => ({ generator: neg(divergence(setting, 'generator')) }),
      trains: (parameter) => parameter.startsWith('distiller.datafree.'),
    },
    {
      name: 'student',
      steps: student_steps,
      losses: (setting) => ({ student: divergence(setting, 'student') }),
      trains: (parameter) => !parameter.startsWith('distiller.'),
    },
  ],
};

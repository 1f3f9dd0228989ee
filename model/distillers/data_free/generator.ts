/** What games without data share: a generator that makes images of noise, and the turns of generator and student. */
import {
  add,
  detach,
  div,
  leakyRelu,
  mean,
  reshape,
  sqrt,
  square,
  sub,
  tanh,
  upsample,
} from '../../../engine/ops/index';
import type { StepContext } from '../../../engine/step_context';
import type { Tensor } from '../../../engine/tensor';
import { ndarray } from '../../../formats/ndarray';
import { UserError } from '../../../utils/errors';
import { Random } from '../../../utils/random';
import type { Schema } from '../../../utils/schema';
import type { Layers } from '../../nets/layers';
import type { DistillContext, Losses, Phase } from '../distiller';

export interface GameOptions {
  readonly noise_dim: number;
  readonly generator_width: number;
  readonly generator_steps: number;
  readonly student_steps: number;
  readonly generator_rate: number;
}

/** The options of a game; `defaults` are those of its paper. */
export function gameOptions(
  defaults: Omit<GameOptions, 'generator_rate' | 'generator_width'>,
): Readonly<Record<string, Schema>> {
  const whole = { type: 'integer', minimum: 1 } as const;
  return {
    noise_dim: { ...whole, default: defaults.noise_dim, title: 'length of the noise vector of an image' },
    generator_width: {
      ...whole,
      default: 64,
      title: 'channels of the last hidden layer of the generator; those before it have twice as many',
    },
    generator_steps: { ...whole, default: defaults.generator_steps, title: 'steps per turn of the generator' },
    student_steps: { ...whole, default: defaults.student_steps, title: 'steps per turn of the student' },
    generator_rate: {
      type: 'number',
      exclusiveMinimum: 0,
      default: 1,
      title: "learning rate of the generator, relative to the run's",
    },
  };
}

/** How images end: at mean 0 and variance 1 by channel, of numbers within ±1 or not; or by a BatchNorm. */
type Ending = 'standardized' | 'batchNorm';

/** Noise (N, D) to images (N, C, H, W), for networks that see normalized ones. */
function generator(
  layers: Layers,
  noise: Tensor,
  [channels, height, width]: DistillContext['input'],
  { hidden, ending = 'standardized' }: { readonly hidden: number; readonly ending?: Ending | undefined },
): Tensor {
  if (height % 4 !== 0 || width % 4 !== 0) {
    const method = layers.options.prefix?.split('.')[1];
    throw new UserError(`${method}: the sides of images must be multiples of 4, got ${height}×${width}`);
  }
  const [batch = 0] = noise.shape;
  const options = { kernel: 3, padding: 1 };
  const start = layers.linear('linear', noise, (2 * hidden * height * width) / 16);
  let x = layers.batchNorm('bn1', reshape(start, [batch, 2 * hidden, height / 4, width / 4]));
  x = leakyRelu(layers.batchNorm('bn2', layers.conv('conv1', upsample(x, 2), 2 * hidden, options)), 0.2);
  x = leakyRelu(layers.batchNorm('bn3', layers.conv('conv2', upsample(x, 2), hidden, options)), 0.2);
  if (ending === 'batchNorm') return layers.batchNorm('bn4', layers.conv('conv3', x, channels, options));
  return standardized(tanh(layers.conv('conv3', x, channels, { ...options, bias: true })));
}

/** (x − μ) / √(σ² + ε) with mean and variance of the batch by channel. */
function standardized(x: Tensor): Tensor {
  const over = { axes: [0, 2, 3], keepDims: true };
  const centered = sub(x, mean(x, over));
  return div(centered, sqrt(add(mean(square(centered), over), 1e-5)));
}

/** A game: what each side minimizes, given images that the generator makes. */
export interface Game<Options extends GameOptions> {
  readonly method: string;
  readonly ending?: Ending;
  /** Whether all steps of a round, that is of a turn of each side, make images of the same noise. */
  readonly keepsNoise?: boolean;
  readonly first?: 'generator' | 'student';
  generator(images: Tensor, context: DistillContext<Options>): Losses;
  /** No gradient flows into the images. */
  student(images: Tensor, context: DistillContext<Options>): Losses;
}

/** The turns of a game. The generator normalizes by the batch in both of them. */
export function turns<Options extends GameOptions>(game: Game<Options>, options: Options): Phase<Options>[] {
  const { method, ending, keepsNoise = false, first = 'generator' } = game;
  const { generator_steps, student_steps, generator_rate, noise_dim, generator_width: hidden } = options;
  const round = keepsNoise ? generator_steps + student_steps : 1;
  const images = ({ layers, input, batchSize }: DistillContext<Options>) => {
    const noise = noiseOf(layers, `distiller.${method}.noise`, [batchSize, noise_dim], round);
    return generator(layers, noise, input, { hidden, ending });
  };
  const phases: Phase<Options>[] = [
    {
      name: 'generator',
      steps: generator_steps,
      rate: generator_rate,
      losses: (context) => game.generator(images(context), context),
      trains: (parameter) => parameter.startsWith(`distiller.${method}.`),
    },
    {
      name: 'student',
      steps: student_steps,
      losses: (context) => game.student(detach(images(context)), context),
      trains: (parameter) => !parameter.startsWith('distiller.'),
    },
  ];
  return first === 'generator' ? phases : phases.reverse();
}

/** N(0, 1), drawn anew after `round` steps; further micro-batches of a step have noise of their own. */
function noiseOf({ graph }: Layers, name: string, shape: readonly number[], round: number): Tensor {
  return graph.hostInput(name, 'float32', shape, ({ seed, step, micro }: StepContext) => {
    const array = ndarray('float32', shape);
    const place = round === 1 ? step : Math.ceil((micro?.update ?? step) / round);
    const further = round > 1 && micro && !micro.isFirst ? step : 0;
    new Random(seed, name).fillNormal(array.data, 0, 1, place, further);
    return array;
  });
}

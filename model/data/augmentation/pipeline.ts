/** Augmentations in a row. What becomes of an example is a function of (seed, epoch, example) and of nothing else. */
import { Random } from '../../../utils/random';
import type { ImageShape, Split } from '../dataset';
import type { Augmentation, Draw } from './augmentation';

/** An augmentation with its options filled. */
export interface Step {
  readonly name: string;
  readonly augmentation: Augmentation;
  readonly options: object;
}

/** An example as it is seen in an epoch. */
export interface Seen {
  readonly image: Uint8Array;
  /** The example that was mixed in, and how much its label counts. */
  readonly other?: number;
  readonly share?: number;
}

export interface PipelineOptions {
  readonly shape: ImageShape;
  readonly seed: number;
  /** Examples of the split that may be mixed in. */
  readonly examples: Uint32Array;
  /** In front of the names of the random streams: '' for the images of the batch, something else for a view of them. */
  readonly prefix: string;
}

export class Pipeline {
  private readonly streams: readonly Random[];

  constructor(
    private readonly split: Split,
    private readonly steps: readonly Step[],
    private readonly options: PipelineOptions,
  ) {
    this.streams = steps.map(({ name }) => new Random(options.seed, options.prefix + streamOf(name)));
  }

  /** Example number `example` in an epoch, after the first `count` steps. */
  see(epoch: number, example: number, count = this.steps.length): Seen {
    const { shape, examples } = this.options;
    const size = shape[0] * shape[1] * shape[2];
    let seen: Seen = { image: this.split.images.subarray(example * size, (example + 1) * size) };
    this.steps.slice(0, count).forEach(({ augmentation, options }, i) => {
      const random = this.streams[i]!;
      const draw: Draw = {
        uniform: (index) => random.uniform(index, epoch, example),
        integer: (bound, index) => random.integer(bound, index, epoch, example),
      };
      if (augmentation.apply) seen = { ...seen, image: augmentation.apply(seen.image, shape, draw, options) };
      if (!augmentation.mix) return;
      // The number of the other example is the last that is ever drawn, far from those that `mix` takes.
      const other = examples[draw.integer(examples.length, OTHER)]!;
      const { image, share } = augmentation.mix(seen.image, this.see(epoch, other, i).image, shape, draw, options);
      seen = { image, other, share };
    });
    return seen;
  }
}

const OTHER = 2 ** 31;

/** Crop and flip draw from one stream, as they did when they were one. */
function streamOf(name: string): string {
  return name === 'crop' || name === 'flip' ? 'augmentation' : `augmentation/${name}`;
}

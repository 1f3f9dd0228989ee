/** A sequence of augmentations. The result for an example is a function of (seed, epoch, example) only. */
import { Random } from '../../../utils/random';
import type { ImageShape, Region } from '../dataset';
import type { Augmentation, Draw } from './augmentation';

/** An augmentation with its options. */
export interface Step {
  readonly name: string;
  readonly augmentation: Augmentation;
  readonly options: object;
}

/** An example as seen in an epoch. */
export interface Seen {
  readonly image: Uint8Array;
  /** The example that was mixed in, and the weight of its label. */
  readonly other?: number;
  readonly share?: number;
}

export interface PipelineOptions {
  readonly shape: ImageShape;
  readonly seed: number;
  /** Examples of the split that may be mixed in. */
  readonly examples: Uint32Array;
  /** Prefix of the names of random streams: '' for the images of the batch, otherwise the name of a view. */
  readonly prefix: string;
  /** Whether images are read in the regions that `region` returns, so that a first step that crops is already done. */
  readonly readsRegions?: boolean;
}

export class Pipeline {
  private readonly streams: readonly Random[];
  /** The number of steps done while reading an image. */
  private readonly done: number;

  constructor(
    private readonly imageOf: (example: number) => Uint8Array,
    private readonly steps: readonly Step[],
    private readonly options: PipelineOptions,
  ) {
    this.streams = steps.map(({ name }) => new Random(options.seed, options.prefix + streamOf(name)));
    this.done = options.readsRegions && steps[0]?.augmentation.region ? 1 : 0;
  }

  /** The region to read of an image of this size; undefined if no step is done while reading. */
  region(epoch: number, example: number, size: readonly [height: number, width: number]): Region | undefined {
    const [step] = this.steps;
    return this.done > 0 ? step!.augmentation.region!(size, this.draw(0, epoch, example), step!.options) : undefined;
  }

  /** The examples whose images are needed to compute one. */
  needed(epoch: number, example: number): number[] {
    const others = this.steps.flatMap(({ augmentation }, i) =>
      augmentation.mix ? [this.other(this.draw(i, epoch, example))] : [],
    );
    return [example, ...others];
  }

  /** Example number `example` in an epoch, after the first `count` steps. */
  see(epoch: number, example: number, count = this.steps.length): Seen {
    const { shape } = this.options;
    let seen: Seen = { image: this.imageOf(example) };
    for (let i = this.done; i < count; i++) {
      const { augmentation, options } = this.steps[i]!;
      const draw = this.draw(i, epoch, example);
      if (augmentation.apply) seen = { ...seen, image: augmentation.apply(seen.image, shape, draw, options) };
      if (!augmentation.mix) continue;
      const other = this.other(draw);
      const { image, share } = augmentation.mix(seen.image, this.see(epoch, other, i).image, shape, draw, options);
      seen = { image, other, share };
    }
    return seen;
  }

  private draw(step: number, epoch: number, example: number): Draw {
    const random = this.streams[step]!;
    return {
      uniform: (index) => random.uniform(index, epoch, example),
      integer: (bound, index) => random.integer(bound, index, epoch, example),
    };
  }

  /** The index of the draw for the other example: the last one, far from those that `mix` uses. */
  private other(draw: Draw): number {
    const { examples } = this.options;
    return examples[draw.integer(examples.length, OTHER)]!;
  }
}

const OTHER = 2 ** 31;

/** Stream names that are older than the names of augmentations: renaming must not change the random numbers. */
const streams: Readonly<Record<string, string>> = {
  crop: 'augmentation',
  flip: 'augmentation',
  color_jitter: 'augmentation/colour_jitter',
};

/** Crop and flip share one stream, since they once were one step. */
function streamOf(name: string): string {
  return streams[name] ?? `augmentation/${name}`;
}

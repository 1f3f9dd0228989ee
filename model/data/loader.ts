/** From a dataset to batches: which examples train and which validate, in which order, and how they are augmented. */
import { Random } from '../../utils/random';
import { UserError } from '../../utils/errors';
import { augmentationSteps, mixesLabels, Pipeline, viewSteps, type Seen, type Step } from './augmentation';
import type { ImageShape, Split } from './dataset';

/** Example numbers of a training set, in the order in which they were drawn. */
export interface Partition {
  readonly train: Uint32Array;
  readonly validation: Uint32Array;
}

/**
 * Splits the `size` examples of a training set. round(validation · size) of them are held out, the same ones for every
 * `subset`; of the others floor(subset · size) train, or all where that is more. A smaller subset is part of a larger one.
 */
export function partition(
  size: number,
  { validation, subset, seed }: { validation: number; subset: number; seed: number },
): Partition {
  const order = new Random(seed, 'partition').permutation(size);
  const heldOut = Math.round(validation * size);
  const train = order.slice(heldOut, heldOut + Math.floor(subset * size));
  if (validation > 0 && heldOut === 0) {
    throw new UserError(`no image is left to validate on: "validation" is ${validation} of ${size} images`);
  }
  if (train.length === 0) {
    throw new UserError(
      `no training image is left: a subset of ${subset} of ${size} images with ${heldOut} held out for validation`,
    );
  }
  return { train, validation: order.slice(0, heldOut) };
}

export interface Batch {
  /** size × channels × height × width, 0 … 255. */
  readonly images: Uint8Array;
  /** The same images seen through other augmentations, by name. */
  readonly views?: Readonly<Record<string, Uint8Array>>;
  readonly labels: Int32Array;
  /** Where images are mixed: the label of the other one of each, and how much it counts, from 0 to 1. */
  readonly mixed?: { readonly labels: Int32Array; readonly share: Float32Array };
  /** Example numbers within the split. */
  readonly indices: Uint32Array;
  readonly size: number;
}

export interface BatchOptions {
  readonly shape: ImageShape;
  readonly batchSize: number;
  readonly seed: number;
  readonly epoch: number;
  /** In the order of `indices`, or in one that depends on (seed, epoch). */
  readonly shuffle: boolean;
  /** Crop and flip, nothing, or other steps; what becomes of an example depends on (seed, epoch, example) alone. */
  readonly augment: boolean | readonly Step[];
  /** Views of the same examples beside the images, such as `autoaugment` or `crop+flip`; none by default. */
  readonly views?: readonly string[];
  /** Batches at the beginning of the pass that are left out; 0 by default. */
  readonly start?: number;
}

/** One pass over the examples `indices` of a split. The last batch may be smaller. Every batch has its own buffers. */
export function* batches(split: Split, indices: Uint32Array, options: BatchOptions): Generator<Batch> {
  const { shape, batchSize, seed, epoch, shuffle, augment, views = [], start: skipped = 0 } = options;
  const imageSize = shape[0] * shape[1] * shape[2];
  const pipeline = (steps: readonly Step[], prefix: string) =>
    new Pipeline(split, steps, { shape, seed, examples: indices, prefix });
  const steps = typeof augment === 'boolean' ? augmentationSteps(augment ? 'yes' : 'no') : augment;
  const images = pipeline(steps, '');
  const others = views.map((view) => [view, pipeline(viewSteps(view), `view/${view}/`)] as const);
  const order = shuffle
    ? new Random(seed, 'order').permutation(indices.length, epoch).map((i) => indices[i]!)
    : indices;
  for (let start = skipped * batchSize; start < order.length; start += batchSize) {
    const chosen = order.slice(start, start + batchSize);
    const seen = (by: Pipeline) => Array.from(chosen, (example) => by.see(epoch, example));
    const pixelsOf = (all: readonly Seen[]) => {
      const pixels = new Uint8Array(all.length * imageSize);
      all.forEach(({ image }, i) => pixels.set(image, i * imageSize));
      return pixels;
    };
    const own = seen(images);
    const labelOf = (example: number) => split.labels[example]!;
    yield {
      images: pixelsOf(own),
      ...(views.length > 0 && { views: Object.fromEntries(others.map(([view, by]) => [view, pixelsOf(seen(by))])) }),
      labels: Int32Array.from(chosen, labelOf),
      ...(mixesLabels(steps) && {
        mixed: {
          labels: Int32Array.from(own, ({ other }, i) => labelOf(other ?? chosen[i]!)),
          share: Float32Array.from(own, ({ share = 0 }) => share),
        },
      }),
      indices: chosen,
      size: chosen.length,
    };
  }
}

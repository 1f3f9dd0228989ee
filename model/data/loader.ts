/** From a dataset to batches: which examples train and which validate, in which order, cropped and flipped or not. */
import { Random } from '../../utils/random';
import { UserError } from '../../utils/errors';
import { cropAndFlip, drawWindow } from './augmentation';
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
  readonly labels: Int32Array;
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
  /** Random crop and flip; what becomes of an example depends on (seed, epoch, example) alone. */
  readonly augment: boolean;
  /** Batches at the beginning of the pass that are left out; 0 by default. */
  readonly start?: number;
}

/** One pass over the examples `indices` of a split. The last batch may be smaller. Every batch has its own buffers. */
export function* batches(split: Split, indices: Uint32Array, options: BatchOptions): Generator<Batch> {
  const { shape, batchSize, seed, epoch, shuffle, augment, start: skipped = 0 } = options;
  const imageSize = shape[0] * shape[1] * shape[2];
  const windows = new Random(seed, 'augmentation');
  const order = shuffle
    ? new Random(seed, 'order').permutation(indices.length, epoch).map((i) => indices[i]!)
    : indices;
  for (let start = skipped * batchSize; start < order.length; start += batchSize) {
    const chosen = order.slice(start, start + batchSize);
    const images = new Uint8Array(chosen.length * imageSize);
    const labels = Int32Array.from(chosen, (example) => split.labels[example]!);
    chosen.forEach((example, i) => {
      const from = example * imageSize;
      if (augment) {
        cropAndFlip(images, i * imageSize, split.images, from, shape, drawWindow(windows, epoch, example));
      } else {
        images.set(split.images.subarray(from, from + imageSize), i * imageSize);
      }
    });
    yield { images, labels, indices: chosen, size: chosen.length };
  }
}

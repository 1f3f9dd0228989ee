/** From a dataset to batches: the split into training and validation examples, their order and augmentation. */
import { UserError } from '../../utils/errors';
import { Random } from '../../utils/random';
import { augmentationSteps, mixesLabels, Pipeline, viewSteps, type Seen, type Step } from './augmentation';
import { CLASSMATE, classmates } from './classmates';
import type { FileSplit, ImageShape, Split, StoredSplit } from './dataset';

/** Example numbers of a training set, in the order in which they were drawn. */
export interface Partition {
  readonly train: Uint32Array;
  readonly validation: Uint32Array;
}

/**
 * Splits the `size` examples of a training set. Holds out round(validation · size) of them, the same ones for every
 * `subset`; trains on floor(subset · size) of the others, or on all if there are fewer. A smaller subset is contained
 * in a larger one.
 */
export function partition(
  size: number,
  { validation, subset, seed }: { validation: number; subset: number; seed: number },
): Partition {
  const order = new Random(seed, 'partition').permutation(size);
  const heldOut = Math.round(validation * size);
  const train = order.slice(heldOut, heldOut + Math.floor(subset * size));
  if (validation > 0 && heldOut === 0) {
    throw new UserError(`"validation": ${validation} of ${size} images leaves no validation images`);
  }
  if (train.length === 0) {
    throw new UserError(
      `no training images are left: a subset of ${subset} of ${size} images with ${heldOut} held out for validation`,
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
  /** If images are mixed: the label of the other image of each, and its weight from 0 to 1. */
  readonly mixed?: { readonly labels: Int32Array; readonly share: Float32Array };
  /** Example numbers within the split. */
  readonly indices: Uint32Array;
  readonly size: number;
  /** Batch number `n` after this one, from 0; undefined beyond the end of the pass. */
  readonly after?: ((n: number) => Promise<Batch | undefined>) | undefined;
}

/** The sizes of the batches of a pass over `examples` images: that of a full one, and that of the last one if it is smaller. */
export function batchSizesOf(examples: number, batchSize: number): readonly [full: number, ...last: number[]] {
  const full = Math.min(batchSize, examples);
  const last = examples % full;
  return last > 0 ? [full, last] : [full];
}

export interface BatchOptions {
  readonly shape: ImageShape;
  readonly batchSize: number;
  readonly seed: number;
  readonly epoch: number;
  /** The epoch whose augmentation is used; this epoch by default. */
  readonly looksOf?: number;
  /** Whether to shuffle, as a function of (seed, epoch), or to keep the order of `indices`. */
  readonly shuffle: boolean;
  /** Crop and flip, nothing, or other steps; the result depends only on (seed, epoch, example). */
  readonly augment: boolean | readonly Step[];
  /**
   * Additional views of the same examples, such as `autoaugment` or `crop+flip`, or of others of the same classes, such
   * as `classmate+crop+flip`; none by default.
   */
  readonly views?: readonly string[];
  /** Number of batches to skip at the beginning of the pass; 0 by default. */
  readonly start?: number;
  /** Number of batches of images from files to prefetch, where these are not in memory; 4 by default. */
  readonly ahead?: number;
}

/** Maximum pixels per channel in an evaluation batch: 250 images of 64 × 64. */
const EVALUATED_PIXELS = 250 * 64 * 64;

/** A pass over unaugmented images in order, with a batch size that suits their size. */
export function plainPass(shape: ImageShape): BatchOptions {
  const batchSize = Math.min(250, Math.max(1, Math.floor(EVALUATED_PIXELS / (shape[1] * shape[2]))));
  return { shape, batchSize, seed: 0, epoch: 0, shuffle: false, augment: false };
}

/** One pass over the examples `indices` of a split. The last batch may be smaller. Every batch has its own buffers. */
export function* batches(split: StoredSplit, indices: Uint32Array, options: BatchOptions): Generator<Batch> {
  const { shape, seed, looksOf: epoch = options.epoch } = options;
  const imageSize = shape[0] * shape[1] * shape[2];
  const imageOf = (example: number) => split.images.subarray(example * imageSize, (example + 1) * imageSize);
  const { chosen, ways } = planned(split, indices, options);
  const pipelines = ways.map(
    ({ steps, prefix }) => new Pipeline(imageOf, steps, { shape, seed, examples: indices, prefix }),
  );
  for (const examples of chosen) {
    const seen = pipelines.map((pipeline, i) =>
      Array.from(examples, (example) => pipeline.see(epoch, ways[i]!.shown(example))),
    );
    yield batchOf(split, examples, seen, options, ways[0]!.steps);
  }
}

/** The same for any split: batches of images from files are prefetched, unless they are in memory. */
export async function* loadBatches(split: Split, indices: Uint32Array, options: BatchOptions): AsyncGenerator<Batch> {
  if ('images' in split) {
    yield* batches(split, indices, options);
    return;
  }
  const { chosen, ways } = planned(split, indices, options);
  const queue: Promise<Batch>[] = [];
  let next = 0;
  // There is nothing to wait for where all images are in memory, and a batch that waits outlives young garbage.
  const isAtHand = (examples: Uint32Array) => examples.every((example) => split.isInMemory?.(example));
  const mayFollow = () => queue.length === 0 || (queue.length <= (options.ahead ?? AHEAD) && !isAtHand(chosen[next]!));
  try {
    for (;;) {
      while (next < chosen.length && mayFollow()) {
        const batch = readBatch(split, chosen[next++]!, indices, options, ways);
        // An error is met where its batch is waited for.
        batch.catch(() => {});
        queue.push(batch);
      }
      const batch = queue.shift();
      if (!batch) return;
      yield await batch;
    }
  } finally {
    await Promise.allSettled(queue);
  }
}

const AHEAD = 4;

/** The batches of a pass, each of which gives access to later ones, which are prepared on demand. */
export async function* lookingAhead(pass: AsyncGenerator<Batch>): AsyncGenerator<Batch> {
  const ready: Batch[] = [];
  const after = async (n: number): Promise<Batch | undefined> => {
    while (ready.length <= n) {
      const next = await pass.next();
      if (next.done) return undefined;
      ready.push(next.value);
    }
    return ready[n];
  };
  try {
    for (;;) {
      const batch = await after(0);
      if (!batch) return;
      ready.shift();
      yield { ...batch, after };
    }
  } finally {
    await pass.return(undefined);
  }
}

/** The views of the images of a batch: the training images first, then each additional view. */
interface Way {
  readonly steps: readonly Step[];
  /** Prefix of the names of its random streams. */
  readonly prefix: string;
  /** The example whose image replaces an example's. */
  readonly shown: (example: number) => number;
}

/** The examples of each batch of a pass, and their views. */
function planned(
  { labels }: Pick<Split, 'labels'>,
  indices: Uint32Array,
  { batchSize, seed, epoch, looksOf = epoch, shuffle, augment, views = [], start = 0 }: BatchOptions,
): { chosen: Uint32Array[]; ways: Way[] } {
  const order = shuffle
    ? new Random(seed, 'order').permutation(indices.length, epoch).map((i) => indices[i]!)
    : indices;
  const count = Math.max(0, Math.ceil(order.length / batchSize) - start);
  const chosen = Array.from({ length: count }, (_, i) =>
    order.slice((start + i) * batchSize, (start + i + 1) * batchSize),
  );
  const steps = typeof augment === 'boolean' ? augmentationSteps(augment ? 'yes' : 'no') : augment;
  const itself = (example: number) => example;
  const others = views.map((view) => {
    const [policy, shown] = view.startsWith(CLASSMATE)
      ? [view.slice(CLASSMATE.length), classmates(labels, indices, { seed, epoch: looksOf })]
      : [view, itself];
    return { steps: viewSteps(policy), prefix: `view/${view}/`, shown };
  });
  return { chosen, ways: [{ steps, prefix: '', shown: itself }, ...others] };
}

/** Reads the images of a batch, each in the region that its first augmentation selects. */
async function readBatch(
  split: FileSplit,
  chosen: Uint32Array,
  indices: Uint32Array,
  options: BatchOptions,
  ways: readonly Way[],
): Promise<Batch> {
  const { shape, seed, looksOf: epoch = options.epoch } = options;
  const seen = ways.map(async ({ steps, prefix, shown }) => {
    const examples = Array.from(chosen, shown);
    const images = new Map<number, Uint8Array>();
    const imageOf = (example: number) => images.get(example)!;
    const pipeline = new Pipeline(imageOf, steps, { shape, seed, examples: indices, prefix, readsRegions: true });
    const needed = new Set(examples.flatMap((example) => pipeline.needed(epoch, example)));
    const read = async (example: number) => {
      const region = pipeline.region(epoch, example, split.sizeOf(example));
      images.set(example, await split.read(example, region));
    };
    await Promise.all([...needed].map(read));
    return examples.map((example) => pipeline.see(epoch, example));
  });
  return batchOf(split, chosen, await Promise.all(seen), options, ways[0]!.steps);
}

/** Renders examples in all views, training images first, as inputs of a step. */
function batchOf(
  split: Split,
  chosen: Uint32Array,
  [own, ...others]: readonly (readonly Seen[])[],
  { shape, views = [] }: BatchOptions,
  steps: readonly Step[],
): Batch {
  const imageSize = shape[0] * shape[1] * shape[2];
  const pixelsOf = (all: readonly Seen[]) => {
    const pixels = new Uint8Array(all.length * imageSize);
    all.forEach(({ image }, i) => pixels.set(image, i * imageSize));
    return pixels;
  };
  const labelOf = (example: number) => split.labels[example]!;
  return {
    images: pixelsOf(own!),
    ...(views.length > 0 && { views: Object.fromEntries(views.map((view, i) => [view, pixelsOf(others[i]!)])) }),
    labels: Int32Array.from(chosen, labelOf),
    ...(mixesLabels(steps) && {
      mixed: {
        labels: Int32Array.from(own!, ({ other }, i) => labelOf(other ?? chosen[i]!)),
        share: Float32Array.from(own!, ({ share = 0 }) => share),
      },
    }),
    indices: chosen,
    size: chosen.length,
  };
}

/** Logits of a network, or of anything with the same interface, on the unaugmented images of an experiment. */
import { UserError } from '../../utils/errors';
import type { Dataset, Split } from '../data/dataset';
import { loadBatches, lookingAhead, partition, plainPass, type Partition } from '../data/loader';
import type { Teacher } from '../teachers/index';
import { allOf } from './evaluator';

/** The images that an experiment trains, validates or tests on. */
export type Part = 'train' | 'val' | 'test';

/** The keys of params.json that part the training set. */
export interface PartitionParams {
  /**
   * Part of the training set that is held out to choose the best epoch on, in (0, 1); or the validation images that come
   * with the data set; or the test set itself.
   */
  readonly validation: number | 'val' | 'test';
  /** Part of the training set that is used, in (0, 1]. */
  readonly subset_percent: number;
  readonly seed: number;
}

/** The images of a split, in the order of the data set. */
export function imagesOf(
  part: Part,
  params: PartitionParams,
  dataset: Dataset,
): { split: Split; indices: Uint32Array } {
  if (part === 'test') return { split: dataset.test, indices: allOf(dataset.test) };
  const parts = partitionOf(params, dataset);
  const { split, indices } =
    part === 'train' ? { split: dataset.train, indices: parts.train } : validationImages(params, dataset, parts);
  return { split, indices: indices.slice().sort() };
}

/** The training images that an experiment trains on, and those that it holds out. */
export function partitionOf(
  { validation, subset_percent: subset, seed }: PartitionParams,
  dataset: Dataset,
): Partition {
  return partition(dataset.train.size, { validation: typeof validation === 'number' ? validation : 0, subset, seed });
}

/** The images on which the best epoch is chosen. Throws a UserError if the data set has none. */
export function validationImages(
  { validation }: Pick<PartitionParams, 'validation'>,
  dataset: Dataset,
  parts: Partition,
): { split: Split; indices: Uint32Array } {
  if (typeof validation === 'number') return { split: dataset.train, indices: parts.validation };
  const split = validation === 'val' ? dataset.validation : dataset.test;
  if (!split) {
    throw new UserError(
      `"validation": ${dataset.name} has no separate validation images; ` +
        'set it to the fraction of training images to hold out, or to "test"',
    );
  }
  return { split, indices: allOf(split) };
}

/** Logits (N, classes) for the examples `indices` of a split, in their order; `onProgress` receives the number done. */
export async function predictLogits(
  network: Pick<Teacher, 'logits'>,
  split: Split,
  indices: Uint32Array,
  { shape, classes }: Pick<Dataset, 'shape'> & { readonly classes: { readonly length: number } },
  onProgress: (done: number) => void = () => {},
): Promise<Float32Array> {
  const all = new Float32Array(indices.length * classes.length);
  let done = 0;
  for await (const batch of lookingAhead(loadBatches(split, indices, plainPass(shape)))) {
    all.set((await network.logits(batch)).data as Float32Array, done * classes.length);
    done += batch.size;
    onProgress(done);
  }
  return all;
}

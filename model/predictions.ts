/** What a network, or anything that stands for one, makes of the images of an experiment as they are stored. */
import type { Params } from '../utils/params';
import type { Dataset, Split } from './data/dataset';
import { batches, partition } from './data/loader';
import { allOf } from './evaluation';
import type { Teacher } from './teachers';

/** The images that an experiment trains, validates or tests on. */
export type Part = 'train' | 'val' | 'test';

const BATCH_SIZE = 250;

/** The images of a part, in the order of the data set. */
export function imagesOf(part: Part, params: Params, dataset: Dataset): { split: Split; indices: Uint32Array } {
  const { validation, subset_percent: subset, seed } = params;
  if (part === 'test' || (part === 'val' && validation === 'test')) {
    return { split: dataset.test, indices: allOf(dataset.test) };
  }
  const parts = partition(dataset.train.size, { validation: validation === 'test' ? 0 : validation, subset, seed });
  return { split: dataset.train, indices: (part === 'train' ? parts.train : parts.validation).slice().sort() };
}

/** Logits (N, classes) for the examples `indices` of a split, in their order; `onProgress` is told how many are done. */
export async function predictLogits(
  network: Pick<Teacher, 'logits'>,
  split: Split,
  indices: Uint32Array,
  { shape, classes }: Pick<Dataset, 'shape' | 'classes'>,
  onProgress: (done: number) => void = () => {},
): Promise<Float32Array> {
  const all = new Float32Array(indices.length * classes.length);
  const pass = { shape, batchSize: BATCH_SIZE, seed: 0, epoch: 0, shuffle: false, augment: false };
  let done = 0;
  for (const batch of batches(split, indices, pass)) {
    all.set((await network.logits(batch)).data as Float32Array, done * classes.length);
    done += batch.size;
    onProgress(done);
  }
  return all;
}

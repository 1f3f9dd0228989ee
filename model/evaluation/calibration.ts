/** The training images whose activations set the scales of static quantization. */
import { evenlySpaced } from '../../utils/spread';
import type { Dataset } from '../data/dataset';
import { loadBatches, type Batch } from '../data/loader';

const IMAGES = 512;
const BATCH = 32;

/** Up to 512 of the training images `indices`, evenly spaced and as they are stored. */
export function calibrationBatches({ train, shape }: Dataset, indices: Uint32Array): AsyncGenerator<Batch> {
  const pass = { shape, batchSize: BATCH, seed: 0, epoch: 0, shuffle: false, augment: false };
  const chosen = evenlySpaced(indices.length, IMAGES).map((place) => indices[place]!);
  return loadBatches(train, chosen, pass);
}

/** Shared by data sets whose images are in memory. */
import { UserError } from '../../../utils/errors';
import type { ImageShape, StoredDataset, StoredSplit } from '../dataset';
import { heldOut } from '../images/image_set';
import type { Part } from './parts';

/** Mean and standard deviation of each channel's values in [0, 1]. */
function statisticsOf({ images, size }: StoredSplit, [channels, height, width]: ImageShape) {
  const plane = height * width;
  const mean: number[] = [];
  const std: number[] = [];
  for (let channel = 0; channel < channels; channel++) {
    const counts = new Float64Array(256);
    for (let image = 0; image < size; image++) {
      const from = (image * channels + channel) * plane;
      for (let i = from; i < from + plane; i++) counts[images[i]!]!++;
    }
    const values = size * plane;
    const average = counts.reduce((sum, count, value) => sum + count * value, 0) / values;
    const variance = counts.reduce((sum, count, value) => sum + count * (value - average) ** 2, 0) / values;
    mean.push(average / 255);
    // A channel of one value has none: it is left as it is.
    std.push(variance > 0 ? Math.sqrt(variance) / 255 : 1);
  }
  return { mean, std };
}

/**
 * A data set from the existing splits, normalized by its training images. Without test images, `val` is the test set;
 * without `val` too, a fraction of the training images is held out.
 */
export function storedDataset(
  { name, place, classes, shape }: { name: string; place: string; classes: readonly string[]; shape: ImageShape },
  parts: Readonly<{ train: StoredSplit } & Partial<Record<'val' | 'test', StoredSplit>>>,
  share: { test: number; seed: number },
): StoredDataset {
  const { val, test: tested = val } = parts;
  const { train, test } = tested ? { train: parts.train, test: tested } : parted(parts.train, classes.length, share);
  const empty = [train, test].findIndex(({ size }) => size === 0);
  if (empty >= 0) throw new UserError(`${place}: contains no ${['training', 'test'][empty]} images`);
  const normalize = statisticsOf(parts.train, shape);
  return { name, classes, shape, normalize, train, test, ...(parts.test && val && { validation: val }) };
}

/** Splits a training set: holds out a fraction of each class for testing, drawn by the seed. */
function parted(
  whole: StoredSplit,
  classes: number,
  share: { test: number; seed: number },
): Record<'train' | 'test', StoredSplit> {
  const examples: { label: number; example: number; part: Part }[] = Array.from(whole.labels, (label, example) => ({
    label,
    example,
    part: 'train',
  }));
  const drawn = heldOut(examples, classes, share);
  const bytes = whole.images.length / whole.size;
  const of = (part: Part): StoredSplit => {
    const chosen = drawn.filter((one) => one.part === part);
    const images = new Uint8Array(chosen.length * bytes);
    chosen.forEach(({ example }, i) =>
      images.set(whole.images.subarray(example * bytes, (example + 1) * bytes), i * bytes),
    );
    return { images, labels: Int32Array.from(chosen, ({ label }) => label), size: chosen.length };
  };
  return { train: of('train'), test: of('test') };
}

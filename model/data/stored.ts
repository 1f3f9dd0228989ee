/** What sets whose images are in memory have in common. */
import type { ImageShape, StoredSplit } from './dataset';
import { heldOut } from './image_set';
import type { Part } from './parts';

/** Mean and standard deviation of each channel's values in [0, 1]. */
export function statisticsOf({ images, size }: StoredSplit, [channels, height, width]: ImageShape) {
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

/** A training set parted in two: a share of each class is held out to test on, drawn by the seed. */
export function parted(
  whole: StoredSplit,
  classes: number,
  share: { test: number; seed: number },
): Record<'train' | 'test', StoredSplit> {
  const examples = Array.from(whole.labels, (label, example) => ({ label, example, part: 'train' }));
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

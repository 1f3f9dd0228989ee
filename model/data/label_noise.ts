/** Symmetric label noise for studies, as in Zhang et al. 2017 and Patrini et al. 2017. */
import { Random } from '../../utils/random';

/**
 * A copy of the labels of a training set, each replaced with probability `share` by a uniformly drawn other class. The
 * noise is a function of (seed, example).
 */
export function noisyLabels(
  labels: Uint8Array | Int32Array,
  { share, classes, seed }: { share: number; classes: number; seed: number },
): Int32Array {
  const random = new Random(seed, 'label_noise');
  return Int32Array.from(labels, (label, example) => {
    if (random.uniform(0, example) >= share) return label;
    return (label + 1 + random.integer(classes - 1, 1, example)) % classes;
  });
}

/** Wrong labels on purpose, for studies: symmetric noise, as in Zhang et al. 2017 and Patrini et al. 2017. */
import { Random } from '../../utils/random';

/**
 * The labels of a training set, of which each is replaced with the probability `share` by one of the other classes, all
 * equally likely. What becomes of a label is a function of (seed, example). A copy.
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

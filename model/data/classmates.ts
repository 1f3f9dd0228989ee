/** Other images of the same class, for methods that compare such pairs. */
import { Random } from '../../utils/random';

/** Prefix of views that replace each image by another one of its class: `classmate+crop+flip`. */
export const CLASSMATE = 'classmate+';

/**
 * For each of the examples `indices` of a pass, another one of them with the same label, or itself if there is none. A
 * function of (seed, epoch, example).
 */
export function classmates(
  labels: ArrayLike<number>,
  indices: Uint32Array,
  { seed, epoch }: { seed: number; epoch: number },
): (example: number) => number {
  const random = new Random(seed, 'classmates');
  const classes = new Map<number, number[]>();
  const places = new Map<number, number>();
  for (const example of new Set(indices)) {
    const ofClass = classes.get(labels[example]!) ?? [];
    classes.set(labels[example]!, ofClass);
    places.set(example, ofClass.push(example) - 1);
  }
  return (example) => {
    const ofClass = classes.get(labels[example]!)!;
    if (ofClass.length === 1) return example;
    const drawn = random.integer(ofClass.length - 1, 0, epoch, example);
    return ofClass[drawn < places.get(example)! ? drawn : drawn + 1]!;
  };
}

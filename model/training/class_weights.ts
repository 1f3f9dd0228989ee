/** The weight of each class in the cross-entropy. */
import { UserError } from '../../utils/errors';

/**
 * The weights of params.json, one per class; "balanced" is n / (C · n_c) for n examples, n_c of them of class c (King &
 * Zeng 2001), and 0 for a class without examples. Throws a UserError if there is not one weight per class.
 */
export function classWeights(
  given: 'balanced' | readonly number[],
  indices: Uint32Array,
  labels: ArrayLike<number>,
  classes: readonly string[],
): number[] {
  if (given !== 'balanced') {
    if (given.length === classes.length) return [...given];
    throw new UserError(
      `"class_weights" must be "balanced" or have ${classes.length} numbers, one per class, got ${given.length}`,
    );
  }
  const counts = Array<number>(classes.length).fill(0);
  for (const example of indices) counts[labels[example]!]!++;
  return counts.map((count) => (count === 0 ? 0 : indices.length / (classes.length * count)));
}

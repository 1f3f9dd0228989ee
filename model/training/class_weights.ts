/** How much each class counts in the cross-entropy. */
import { UserError } from '../../utils/errors';

/**
 * The weights of params.json, one for each class; "balanced" is n / (C · n_c) for n examples of which n_c are of class c
 * (King & Zeng 2001), and 0 for a class without examples. A UserError where their number is not that of the classes.
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
      `"class_weights" must have ${classes.length} numbers, one for each class, or be "balanced", got ${given.length}`,
    );
  }
  const counts = Array<number>(classes.length).fill(0);
  for (const example of indices) counts[labels[example]!]!++;
  return counts.map((count) => (count === 0 ? 0 : indices.length / (classes.length * count)));
}

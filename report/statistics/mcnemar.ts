/** McNemar's test of two classifiers on the same examples (McNemar 1947), exact, with the mid-p value. */
import { binomial } from './binomial';

/** On how many examples one classifier of two is right and the other one wrong. */
export interface Disagreement {
  readonly gained: number;
  readonly lost: number;
}

/**
 * The p value, two-sided. If both classifiers are equally good, X = min(gained, lost) of the n = gained + lost examples is
 * binomial with probability 1/2, and
 *   p = 2 P(X < min) + P(X = min).
 * Half the probability of what was observed counts (Lancaster 1961): as Fagerland, Lydersen and Laake (2013, "The McNemar
 * test for binary matched-pairs data") find, this mid-p keeps to its level in practice and is not as blunt as the exact
 * test, which adds another P(X = min).
 */
export function mcnemar({ gained, lost }: Disagreement): number {
  const probabilities = binomial(gained + lost, 0.5);
  const least = Math.min(gained, lost);
  const below = probabilities.subarray(0, least).reduce((sum, probability) => sum + probability, 0);
  // For equal counts this is 1 but for rounding.
  return Math.min(1, 2 * below + probabilities[least]!);
}

/** The paired t test (Student 1908): the mean difference of paired values. */
import { mean, standardDeviation } from './mean';
import { tCumulative, tQuantile } from './student_t';

export interface PairedDifference {
  readonly n: number;
  /** Mean of b − a over the pairs. */
  readonly mean: number;
  /** Standard error of that mean: sd of the differences / √n; NaN for one pair. */
  readonly standardError: number;
  /** Where the mean lies with 95 % confidence: mean ∓ t · standard error, t for n − 1 degrees of freedom; NaN for one pair. */
  readonly interval: readonly [low: number, high: number];
  /** Two-sided: P(|T| ≥ |mean| / standard error), T of n − 1 degrees of freedom; NaN for one pair. */
  readonly p: number;
}

/** The difference of values that belong together pair by pair, such as two students of one seed. */
export function pairedDifference(a: readonly number[], b: readonly number[]): PairedDifference {
  if (a.length !== b.length) throw new Error(`pairedDifference: needs pairs, got ${a.length} and ${b.length} values`);
  const differences = b.map((value, i) => value - a[i]!);
  const n = differences.length;
  const center = mean(differences);
  const standardError = standardDeviation(differences) / Math.sqrt(n);
  const margin = n > 1 ? tQuantile(0.975, n - 1) * standardError : NaN;
  // Without any difference there is nothing to doubt: 0 / 0 is taken as 0.
  const t = center === 0 ? 0 : Math.abs(center) / standardError;
  const p = n > 1 ? 2 * tCumulative(-t, n - 1) : NaN;
  return { n, mean: center, standardError, interval: [center - margin, center + margin], p };
}

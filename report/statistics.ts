/** Means and their spread over seeds. */
import { tQuantile } from './student_t';

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Standard deviation of a sample (n − 1); NaN for fewer than two values. */
export function standardDeviation(values: readonly number[]): number {
  const centre = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (values.length - 1 || NaN));
}

export interface PairedDifference {
  readonly n: number;
  /** Mean of b − a over the pairs. */
  readonly mean: number;
  /** Standard error of that mean: sd of the differences / √n; NaN for one pair. */
  readonly standardError: number;
  /** Where the mean lies with 95 % confidence: mean ∓ t · standard error, t for n − 1 degrees of freedom; NaN for one pair. */
  readonly interval: readonly [low: number, high: number];
}

/** The difference of values that belong together pair by pair, such as two students of one seed. */
export function pairedDifference(a: readonly number[], b: readonly number[]): PairedDifference {
  if (a.length !== b.length) throw new Error(`pairedDifference: needs pairs, got ${a.length} and ${b.length} values`);
  const differences = b.map((value, i) => value - a[i]!);
  const n = differences.length;
  const centre = mean(differences);
  const standardError = standardDeviation(differences) / Math.sqrt(n);
  const margin = n > 1 ? tQuantile(0.975, n - 1) * standardError : NaN;
  return { n, mean: centre, standardError, interval: [centre - margin, centre + margin] };
}

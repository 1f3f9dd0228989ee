/** Means and their spread over seeds. */

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Standard deviation of a sample (n − 1); NaN for fewer than two values. */
export function standardDeviation(values: readonly number[]): number {
  const centre = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (values.length - 1 || NaN));
}

export interface PairedDifference {
  /** Mean of b − a over the pairs. */
  readonly mean: number;
  /** Standard error of that mean: sd of the differences / √n. */
  readonly standardError: number;
}

/** The difference of values that belong together pair by pair, such as two students of one seed. */
export function pairedDifference(a: readonly number[], b: readonly number[]): PairedDifference {
  if (a.length !== b.length) throw new Error(`pairedDifference: needs pairs, got ${a.length} and ${b.length} values`);
  const differences = b.map((value, i) => value - a[i]!);
  return { mean: mean(differences), standardError: standardDeviation(differences) / Math.sqrt(differences.length) };
}

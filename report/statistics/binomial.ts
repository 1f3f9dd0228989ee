/** The binomial distribution. */

/**
 * P(X = k) for k = 0 … n, where X counts the successes of n trials of probability p. Neighbors are in the ratio
 *   P(k + 1) / P(k) = (n − k) / (k + 1) · p / (1 − p),
 * so all follow from the likeliest, and their sum is 1.
 */
export function binomial(n: number, p: number): Float64Array {
  const weights = new Float64Array(n + 1);
  const mode = Math.min(n, Math.floor((n + 1) * p));
  weights[mode] = 1;
  for (let k = mode; k < n; k++) weights[k + 1] = weights[k]! * ((n - k) / (k + 1)) * (p / (1 - p));
  for (let k = mode; k > 0; k--) weights[k - 1] = weights[k]! * (k / (n - k + 1)) * ((1 - p) / p);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}

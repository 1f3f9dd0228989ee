/** Correction for several tests at once (Holm 1979, "A simple sequentially rejective multiple test procedure"). */

/**
 * Corrected p values in the order of `values`: of m, in ascending order,
 *   p̃₍ᵢ₎ = max over j ≤ i of min(1, (m − j + 1) p₍ⱼ₎).
 * To call those below 0.05 significant errs at all with a probability of 5 % at most, however the tests depend on each other.
 */
export function holm(values: readonly number[]): number[] {
  const order = [...values.keys()].sort((a, b) => values[a]! - values[b]!);
  const corrected = [...values];
  let largest = 0;
  for (const [j, i] of order.entries()) {
    largest = Math.max(largest, Math.min(1, (values.length - j) * values[i]!));
    corrected[i] = largest;
  }
  return corrected;
}

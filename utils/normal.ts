/** The normal distribution. */

/** erf(x) = 2/√π · e^(−x²) · Σ 2^n x^(2n+1) / (1 · 3 · … · (2n+1)): all terms of one sign, so nothing cancels. */
export function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return ((2 * Math.exp(-x * x)) / Math.sqrt(Math.PI)) * sum;
}

/** P(X ≤ x) = (1 + erf(x/√2)) / 2 for the standard normal distribution. */
export function normalCumulative(x: number): number {
  return (1 + erf(x / Math.SQRT2)) / 2;
}

/** The normal distribution cut to an interval. */

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

/** The probability that a normal value lies between two places. */
export function normalMass(from: number, to: number, mean: number, deviation: number): number {
  const scale = deviation * Math.SQRT2;
  return (erf((to - mean) / scale) - erf((from - mean) / scale)) / 2;
}

/** The place between `low` and `high` below which the part `u` of the cut distribution lies, by bisection. */
export function cutNormalQuantile(u: number, mean: number, deviation: number, low: number, high: number): number {
  const scale = deviation * Math.SQRT2;
  const wanted = (1 - u) * erf((low - mean) / scale) + u * erf((high - mean) / scale);
  let [from, to] = [low, high];
  for (let halving = 0; halving < 40; halving++) {
    const middle = (from + to) / 2;
    if (erf((middle - mean) / scale) < wanted) from = middle;
    else to = middle;
  }
  return (from + to) / 2;
}

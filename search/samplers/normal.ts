/** The normal distribution cut to an interval. */
import { erf } from '../../utils/normal';

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

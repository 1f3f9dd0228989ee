/**
 * The paired bootstrap over examples (Efron and Tibshirani 1993, "An introduction to the bootstrap", chapters 6 and
 * 13), in its exact form: without resampling, since the probability of every outcome can be computed.
 */
import type { Disagreement } from './mcnemar';

/** Probabilities of neighboring integers, the first of which is `from`. */
interface Distribution {
  readonly from: number;
  readonly probabilities: Float64Array;
}

/** Outcomes at either end that are less likely than this do not count. */
const NEGLIGIBLE = 1e-18;

/**
 * Where the difference of two accuracies lies with 95 % confidence: the percentiles 2.5 and 97.5 of the mean d* over
 * resamples of the n examples. Each member of a resample adds −1, 0 or 1 with the probabilities lost / n,
 * (n − gained − lost) / n and gained / n, so n · d* is the sum of n such numbers: an n-fold convolution, by squaring.
 */
export function bootstrapInterval({ gained, lost }: Disagreement, n: number): [low: number, high: number] {
  let power = trimmed(-1, Float64Array.of(lost / n, (n - gained - lost) / n, gained / n));
  let total = trimmed(0, Float64Array.of(1));
  for (let left = n; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) total = sumOf(total, power);
    if (left > 1) power = sumOf(power, power);
  }
  return [percentile(total, 0.025) / n, percentile(total, 0.975) / n];
}

/** P(X + Y = k) = Σ_i P(X = i) P(Y = k − i). */
function sumOf(x: Distribution, y: Distribution): Distribution {
  const probabilities = new Float64Array(x.probabilities.length + y.probabilities.length - 1);
  for (let i = 0; i < x.probabilities.length; i++) {
    for (let j = 0; j < y.probabilities.length; j++) probabilities[i + j]! += x.probabilities[i]! * y.probabilities[j]!;
  }
  return trimmed(x.from + y.from, probabilities);
}

function trimmed(from: number, probabilities: Float64Array): Distribution {
  const counts = (probability: number) => probability > NEGLIGIBLE;
  const first = probabilities.findIndex(counts);
  return { from: from + first, probabilities: probabilities.subarray(first, probabilities.findLastIndex(counts) + 1) };
}

/** The smallest k with P(X ≤ k) ≥ `level`. */
function percentile({ from, probabilities }: Distribution, level: number): number {
  let sum = 0;
  return from + probabilities.findIndex((probability) => (sum += probability) >= level);
}

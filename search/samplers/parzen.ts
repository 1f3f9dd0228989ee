/**
 * Parzen estimators of points: mixtures of a kernel around each observed point and one, the prior, over the whole space
 * (Bergstra, Bardenet, Bengio and Kégl 2011; Watanabe 2023, arXiv 2304.11127). Constants and rules are those of Optuna 5.
 */
import type { Json } from '../json';
import { fromInterval, indexOf, intervalOf, type Choice, type Dimension, type Point, type Range } from '../space/space';
import { cutNormalQuantile, normalMass } from './normal';

/** The kernels' distributions of one dimension, one for each observation and the prior's last. */
interface Kernels {
  /** The value below which the part `u` of a kernel lies. */
  quantile(kernel: number, u: number): Json;
  /** Adds to each kernel's entry the logarithm of its density at a value (of its probability, where discrete). */
  addLogDensity(sums: Float64Array, value: Json): void;
}

export class ParzenEstimator {
  private readonly weights: readonly number[];
  private readonly kernels: readonly Kernels[];

  /** `points`: observed points from the oldest to the newest, with values for all `dimensions`. */
  constructor(dimensions: readonly Dimension[], points: readonly Point[]) {
    const weights = [...ageWeights(points.length), 1];
    const sum = weights.reduce((a, b) => a + b);
    this.weights = weights.map((weight) => weight / sum);
    this.kernels = dimensions.map((dimension) => {
      const values = points.map((point) => point[dimension.path]!);
      return dimension.kind === 'choice'
        ? new ChoiceKernels(dimension, values)
        : new RangeKernels(dimension, values as number[]);
    });
  }

  /** A value for each dimension, drawn from one kernel; `uniform(i)` for i = 0 … dimensions is of [0, 1). */
  sample(uniform: (index: number) => number): Json[] {
    const kernel = pick(this.weights, uniform(0));
    return this.kernels.map((kernels, d) => kernels.quantile(kernel, uniform(d + 1)));
  }

  /** log Σ_k weight_k · Π_d density_kd(values_d). */
  logDensity(values: readonly Json[]): number {
    const sums = Float64Array.from(this.weights, Math.log);
    this.kernels.forEach((kernels, d) => kernels.addLogDensity(sums, values[d]!));
    const largest = Math.max(...sums);
    return largest + Math.log(sums.reduce((sum, x) => sum + Math.exp(x - largest), 0));
  }
}

/** Weights of n observations: 1 for each of the newest 25, from there down in equal steps to 1/n for the oldest. */
export function ageWeights(n: number): number[] {
  const old = n - 25;
  return Array.from({ length: n }, (_, i) => {
    if (i >= old) return 1;
    return old === 1 ? 1 / n : 1 / n + ((1 - 1 / n) * i) / (old - 1);
  });
}

/** The first index whose cumulated weight exceeds `u`. */
function pick(weights: readonly number[], u: number): number {
  let rest = u;
  const index = weights.findIndex((weight) => (rest -= weight) < 0);
  return index < 0 ? weights.length - 1 : index;
}

/** Of n kernels each gives 1/n to every value and 1 more to the value of its observation, divided by the sum. */
class ChoiceKernels implements Kernels {
  private readonly rows: readonly (readonly number[])[];

  constructor(
    private readonly choice: Choice,
    observed: readonly Json[],
  ) {
    const count = choice.values.length;
    const n = observed.length + 1;
    const prior = choice.values.map(() => 1 / count);
    const row = (value: Json) => {
      const index = indexOf(choice, value);
      return choice.values.map((_, i) => (1 / n + (i === index ? 1 : 0)) / (count / n + 1));
    };
    this.rows = [...observed.map(row), prior];
  }

  quantile(kernel: number, u: number): Json {
    return this.choice.values[pick(this.rows[kernel]!, u)]!;
  }

  addLogDensity(sums: Float64Array, value: Json): void {
    const index = indexOf(this.choice, value);
    this.rows.forEach((row, kernel) => (sums[kernel]! += Math.log(row[index]!)));
  }
}

/**
 * Normal distributions around the observations, cut to the range's interval, and the prior's around its middle, as wide
 * as it. The deviation is the larger distance to the two neighbors (for the outermost, to its only one), at most the
 * interval's length and at least that length divided by the number of kernels plus 1, or by 100 if that is less.
 */
class RangeKernels implements Kernels {
  private readonly low: number;
  private readonly high: number;
  private readonly means: readonly number[];
  private readonly deviations: readonly number[];
  /** Logarithms of what a normal density, or a mass where discrete, is divided by. */
  private readonly logDivisors: readonly number[];

  constructor(
    private readonly range: Range,
    observed: readonly number[],
  ) {
    [this.low, this.high] = intervalOf(range);
    const length = this.high - this.low;
    const places = observed.map((value) => this.place(value));
    const smallest = length / Math.min(100, observed.length + 2);
    const gaps = neighborGaps(places, this.low, this.high);
    this.means = [...places, (this.low + this.high) / 2];
    this.deviations = [...gaps.map((gap) => Math.min(Math.max(gap, smallest), length)), length];
    this.logDivisors = this.means.map((mean, k) => {
      const deviation = this.deviations[k]!;
      const mass = normalMass(this.low, this.high, mean, deviation);
      return Math.log(range.step === undefined ? mass * deviation * Math.sqrt(2 * Math.PI) : mass);
    });
  }

  quantile(kernel: number, u: number): number {
    const place = cutNormalQuantile(u, this.means[kernel]!, this.deviations[kernel]!, this.low, this.high);
    return fromInterval(this.range, place);
  }

  addLogDensity(sums: Float64Array, value: number): void {
    const { step } = this.range;
    if (step === undefined) {
      const place = this.place(value);
      for (let k = 0; k < sums.length; k++) {
        const distance = (place - this.means[k]!) / this.deviations[k]!;
        sums[k]! -= (distance * distance) / 2 + this.logDivisors[k]!;
      }
    } else {
      const [from, to] = [this.place(value - step / 2), this.place(value + step / 2)];
      for (let k = 0; k < sums.length; k++) {
        sums[k]! += Math.log(normalMass(from, to, this.means[k]!, this.deviations[k]!)) - this.logDivisors[k]!;
      }
    }
  }

  private place(value: number): number {
    return this.range.log ? Math.log(value) : value;
  }
}

/** The larger distance of each place to its neighbors; the ends of the interval are neighbors only of a lone place. */
function neighborGaps(places: readonly number[], low: number, high: number): number[] {
  if (places.length === 1) return [Math.max(places[0]! - low, high - places[0]!)];
  const order = places.map((_, i) => i).sort((a, b) => places[a]! - places[b]!);
  const gaps: number[] = [];
  order.forEach((index, rank) => {
    const distances = [order[rank - 1], order[rank + 1]].map((other) =>
      other === undefined ? 0 : Math.abs(places[index]! - places[other]!),
    );
    gaps[index] = Math.max(...distances);
  });
  return gaps;
}

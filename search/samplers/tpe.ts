/**
 * The tree-structured Parzen estimator (Bergstra, Bardenet, Bengio and Kégl 2011, "Algorithms for hyper-parameter
 * optimization"): of points drawn near good observations it takes the one that is likeliest among the good ones compared
 * with the others. Constants and rules are those of Optuna 5.
 */
import { Random } from '../../utils/random';
import { canonical } from '../json';
import { isActive, isPointOf, makePoint, type Dimension, type Point, type Space } from '../space/space';
import { ParzenEstimator } from './parzen';
import { createRandom } from './random';
import type { FrozenTrial, Sampler, SamplerKind } from './sampler';

export type TpeOptions = {
  /** Finished trials up to which points are random. */
  readonly startup_trials: number;
  /** Points that are drawn and compared. */
  readonly candidates: number;
  /** Whether dimensions are modeled together, so that their interplay counts, or each alone. */
  readonly multivariate: boolean;
};

export const tpe: SamplerKind<TpeOptions> = {
  learns: true,
  options: {
    startup_trials: { type: 'integer', minimum: 1, default: 10 },
    candidates: { type: 'integer', minimum: 1, default: 24 },
    multivariate: { type: 'boolean', default: true },
  },
  mistakes: () => [],
  create: (space, seed, options) => new Tpe(space, seed, options),
};

class Tpe implements Sampler {
  private readonly startup: Sampler;
  private readonly random: Random;
  private readonly groups: readonly (readonly Dimension[])[];

  constructor(
    private readonly space: Space,
    seed: number,
    private readonly options: TpeOptions,
  ) {
    this.startup = createRandom(space, seed);
    this.random = new Random(seed, 'search.tpe');
    this.groups = groupsOf(space, options.multivariate);
  }

  suggest(trial: number, history: readonly FrozenTrial[]): Point | undefined {
    const known = history.filter((one) => one.number !== trial && isPointOf(this.space, one.params));
    const { good, others, finished } = split(known);
    if (finished < this.options.startup_trials) return this.startup.suggest(trial, []);

    const tried = new Set(known.map((one) => canonical(one.params)));
    let point: Point = {};
    this.groups.forEach((group, g) => {
      if (!isActive(group[0]!, point)) return;
      const model = (points: readonly Point[]) =>
        new ParzenEstimator(
          group,
          points.filter((one) => Object.hasOwn(one, group[0]!.path)),
        );
      const [likely, unlikely] = [model(good), model(others)];
      const drawn = Array.from({ length: this.options.candidates }, (_, c) => {
        const values = likely.sample((i) => this.random.uniform(c * (group.length + 1) + i, trial, g));
        const extended = { ...point, ...Object.fromEntries(group.map(({ path }, d) => [path, values[d]!])) };
        return { extended, gain: likely.logDensity(values) - unlikely.logDensity(values) };
      });
      // Trainings are deterministic: one of the same point would teach nothing.
      const fresh = drawn.filter(({ extended }) => !tried.has(canonical(extended)));
      const candidates = fresh.length > 0 ? fresh : drawn;
      point = candidates.reduce((best, one) => (one.gain > best.gain ? one : best)).extended;
    });
    return makePoint(this.space, ({ path }) => point[path]!);
  }
}

/** Dimensions that are drawn together: those that exist under the same condition, or each alone. */
function groupsOf(space: Space, multivariate: boolean): Dimension[][] {
  const groups = new Map<string, Dimension[]>();
  for (const dimension of space) {
    const key = multivariate ? canonical(dimension.when ?? {}) : dimension.path;
    groups.set(key, [...(groups.get(key) ?? []), dimension]);
  }
  return [...groups.values()];
}

/**
 * The points of the best tenth of the finished trials (rounded up, at most 25) and those of the others, each from the
 * oldest to the newest trial. Complete trials come before pruned ones, and of these the longer before the shorter.
 * Running trials count as bad, so that those that run at a time keep apart; failed ones count as nothing.
 */
export function split(trials: readonly FrozenTrial[]): { good: Point[]; others: Point[]; finished: number } {
  const byNumber = [...trials].sort((a, b) => a.number - b.number);
  const complete = byNumber.filter(({ state, value }) => state === 'complete' && !Number.isNaN(value ?? NaN));
  const pruned = byNumber.filter(({ state }) => state === 'pruned');
  const value = (one: FrozenTrial) => (Number.isNaN(one.value ?? NaN) ? -Infinity : one.value!);
  const better = (a: FrozenTrial, b: FrozenTrial) => (value(a) === value(b) ? 0 : value(b) - value(a));
  const ranked = [
    ...complete.sort(better),
    ...pruned.sort((a, b) => (b.epochs ?? 0) - (a.epochs ?? 0) || better(a, b)),
  ];
  const good = new Set(ranked.slice(0, Math.min(Math.ceil(0.1 * ranked.length), 25)));
  const counted = byNumber.filter((one) => one.state === 'running' || ranked.includes(one));
  return {
    good: counted.filter((one) => good.has(one)).map(({ params }) => params),
    others: counted.filter((one) => !good.has(one)).map(({ params }) => params),
    finished: ranked.length,
  };
}

import { expect } from 'chai';
import { createSampler, type FrozenTrial } from '../../../search/samplers';
import { cutNormalQuantile, normalMass } from '../../../search/samplers/normal';
import { ageWeights, ParzenEstimator } from '../../../search/samplers/parzen';
import { split } from '../../../search/samplers/tpe';
import { isPointOf, type Dimension, type Point, type Space } from '../../../search/space/space';
import { Random } from '../../../utils/random';
import expected from '../../fixtures/search.json';
import { problems } from '../../helpers/problems';
import { search } from '../../helpers/search';

const tpe = (space: Space, seed = 230, multivariate = true) =>
  createSampler({ name: 'tpe', startup_trials: 10, candidates: 24, multivariate }, space, seed);

describe('the cut normal distribution', () => {
  it('inverts its distribution function', () => {
    for (const u of [0, 0.01, 0.5, 0.99, 1]) {
      const place = cutNormalQuantile(u, 0.3, 0.2, 0, 1);
      expect(normalMass(0, place, 0.3, 0.2) / normalMass(0, 1, 0.3, 0.2)).to.be.closeTo(u, 1e-9);
      expect(place).to.be.within(0, 1);
    }
  });
});

describe('the Parzen estimator', () => {
  it('has Optuna’s densities', () => {
    for (const { dimensions, points, queries, log_density } of expected.densities) {
      const space = dimensions as Dimension[];
      const estimator = new ParzenEstimator(space, points);
      queries.forEach((query, i) => {
        const values = space.map(({ path }) => query[path as keyof typeof query]);
        const what = `${space.map(({ path }) => path).join()} of ${points.length}`;
        expect(estimator.logDensity(values), what).to.be.closeTo(log_density[i]!, 1e-8);
      });
    }
  });

  it('draws what it says', () => {
    const points: Point[] = [
      { n: 2, c: 'a' },
      { n: 7, c: 'b' },
      { n: 8, c: 'b' },
    ];
    const space: Space = [
      { kind: 'range', path: 'n', low: 1, high: 9, step: 1, log: false },
      { kind: 'choice', path: 'c', values: ['a', 'b'] },
    ];
    const estimator = new ParzenEstimator(space, points);
    const random = new Random(5, 'draws');
    const counts = new Map<string, number>();
    const draws = 20_000;
    for (let i = 0; i < draws; i++) {
      const key = JSON.stringify(estimator.sample((index) => random.uniform(index, i)));
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    let total = 0;
    for (let n = 1; n <= 9; n++) {
      for (const c of ['a', 'b']) {
        const probability = Math.exp(estimator.logDensity([n, c]));
        total += probability;
        const deviation = Math.sqrt((probability * (1 - probability)) / draws);
        expect((counts.get(JSON.stringify([n, c])) ?? 0) / draws, `${n}${c}`).to.be.closeTo(probability, 4 * deviation);
      }
    }
    expect(total).to.be.closeTo(1, 1e-9);
  });

  it('weighs the newest 25 fully and the older ones less', () => {
    expect(ageWeights(0)).to.deep.equal([]);
    expect(ageWeights(25)).to.deep.equal(Array(25).fill(1));
    expect(ageWeights(26)).to.deep.equal([1 / 26, ...(Array(25).fill(1) as number[])]);
    const weights = ageWeights(30);
    [0, 1, 2, 3, 4].forEach((i) => expect(weights[i]).to.be.closeTo(1 / 30 + ((29 / 30) * i) / 4, 1e-12));
    expect(weights.slice(5)).to.deep.equal(Array(25).fill(1));
  });
});

describe('the tree-structured Parzen estimator', () => {
  it('takes the trials for good ones that Optuna takes', () => {
    for (const { trials, good, others } of expected.splits) {
      const history = trials.map((one) => ({
        ...one,
        number: one.trial,
        params: { trial: one.trial },
      })) as unknown as FrozenTrial[];
      const found = split(history.toReversed());
      expect(found.good.map(({ trial }) => trial)).to.deep.equal(good);
      expect(found.others.map(({ trial }) => trial)).to.deep.equal(others);
      expect(found.finished).to.equal(history.filter(({ state }) => state === 'complete' || state === 'pruned').length);
    }
  });

  const line: Space = [{ kind: 'range', path: 'x', low: 0, high: 1, log: false }];
  const nearHalf = ({ x }: Point) => -Math.abs((x as number) - 0.5);

  it('is random for its first ten finished trials', () => {
    const history = search(tpe(line), 10, nearHalf);
    const random = createSampler({ name: 'random' }, line, 230);
    history.forEach(({ number, params }) => expect(params).to.deep.equal(random.suggest(number, [])));
    const unfinished = history.map((one, i) => (i === 3 ? { ...one, state: 'running' as const } : one));
    expect(tpe(line).suggest(10, unfinished)).to.deep.equal(random.suggest(10, []));
    expect(tpe(line).suggest(10, history)).not.to.deep.equal(random.suggest(10, []));
  });

  it('looks where it was good', () => {
    const history = search(tpe(line), 60, nearHalf);
    const far = (from: number) =>
      history.slice(from, from + 20).reduce((sum, { params }) => sum - nearHalf(params), 0) / 20;
    expect(far(40)).to.be.below(far(0) / 2);
  });

  it('keeps away from running trials', () => {
    const history = search(tpe(line), 20, nearHalf);
    const proposals = (liar: boolean) => {
      const known = [...history];
      for (let number = 20; number < 30; number++) {
        const params = tpe(line).suggest(number, known)!;
        if (liar) known.push({ number, params, state: 'running' });
        else known.push({ number, params, state: 'failed' });
      }
      const values = known.slice(20).map(({ params }) => params.x as number);
      const mean = values.reduce((a, b) => a + b) / values.length;
      return Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length);
    };
    expect(proposals(true)).to.be.above(2 * proposals(false));
  });

  it('does not repeat a point of a finite space while it draws others', () => {
    const space: Space = [
      { kind: 'choice', path: 'a', values: [1, 2, 3, 4] },
      { kind: 'choice', path: 'b', values: [1, 2, 3, 4] },
    ];
    const history = search(tpe(space), 10, ({ a, b }) => (a as number) * (b as number));
    const start = new Set(history.map(({ params }) => JSON.stringify(params))).size;
    const sampler = tpe(space);
    for (let number = 10; number < 14; number++) {
      history.push({ number, params: sampler.suggest(number, history)!, state: 'complete', value: 0 });
    }
    expect(new Set(history.map(({ params }) => JSON.stringify(params))).size).to.equal(start + 4);
  });

  it('keeps together what belongs together, unless told that dimensions are independent', () => {
    const space: Space = ['x', 'y'].map((path) => ({ kind: 'range', path, low: 0, high: 1, log: false }));
    const random = new Random(3, 'history');
    // Two corners are good: x and y alike, where neither alone tells anything.
    const history = Array.from({ length: 60 }, (_, number): FrozenTrial => {
      const [x, y] = [0, 1].map(
        (index) => (random.uniform(index, number) < 0.5 ? 0.1 : 0.9) + 0.1 * random.uniform(index + 2, number) - 0.05,
      );
      return { number, params: { x: x!, y: y! }, state: 'complete', value: -Math.abs(x! - y!) };
    });
    const apart = (multivariate: boolean) => {
      const sampler = tpe(space, 1, multivariate);
      const points = Array.from({ length: 50 }, (_, i) => sampler.suggest(60 + i, history)!);
      return points.filter(({ x, y }) => Math.abs((x as number) - (y as number)) > 0.5).length;
    };
    expect(apart(true)).to.be.below(5);
    expect(apart(false)).to.be.above(10);
  });

  for (const [name, problem] of Object.entries(problems)) {
    it(`beats random search on ${name}`, function () {
      this.timeout(60_000);
      const seeds = Array.from({ length: 20 }, (_, seed) => seed);
      const medianBest = (histories: FrozenTrial[][], trials: number) => {
        const best = histories.map((history) => Math.max(...history.slice(0, trials).map(({ value }) => value!)));
        return best.sort((a, b) => a - b)[histories.length / 2]!;
      };
      const runs = {
        tpe: seeds.map((seed) => search(tpe(problem.space, seed), 100, problem.objective)),
        random: seeds.map((seed) =>
          search(createSampler({ name: 'random' }, problem.space, seed), 100, problem.objective),
        ),
      };
      for (const { params } of runs.tpe.flat()) expect(isPointOf(problem.space, params)).to.equal(true);
      for (const trials of [50, 100]) {
        expect(medianBest(runs.tpe, trials)).to.be.above(medianBest(runs.random, trials));
      }
    });
  }
});

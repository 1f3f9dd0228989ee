/**
 * Tests all samplers of search/samplers/. What every sampler does. A new one is tested by being listed in
 * search/samplers/index.ts.
 */
import { expect } from 'chai';
import { canonical } from '../../../search/json';
import { createSampler, samplers, type FrozenTrial, type SamplerName } from '../../../search/samplers';
import { parseSettings } from '../../../search/settings/settings';
import { isPointOf, type Point, type Space } from '../../../search/space/space';
import { Random } from '../../../utils/random';
import { search } from '../../helpers/search';

const finite = {
  optimizer: ['adam', 'sgd'],
  'schedule.gamma': { low: 0.1, high: 0.3, step: 0.1 },
  momentum: { values: [0, 0.9], when: { optimizer: 'sgd' } },
  nesterov: { values: [true, false], when: { momentum: 0.9, optimizer: ['sgd'] } },
  teacher: [{ model: 'cnn' }, 'none'],
};
const continuous = {
  learning_rate: { low: 1e-5, high: 1, log: true },
  alpha: { low: 0, high: 1 },
  num_channels: { low: 8, high: 64, step: 8 },
  batch_size: { low: 1, high: 512, log: true, integer: true },
  method: ['kd', 'nokd'],
  temperature: { low: 1, high: 20, when: { method: 'kd' } },
};
const spaceOf = (space: object): Space => parseSettings({ space, sampler: 'random' }, 'search.json').space;

/** An objective without a pattern. */
const noise = new Random(7, 'objective');
const score = (point: Point) =>
  noise.uniform(Buffer.from(canonical(point)).reduce((hash, byte) => (hash * 31 + byte) >>> 0, 0));

for (const name of Object.keys(samplers) as SamplerName[]) {
  describe(`sampler ${name}`, () => {
    const spaces = [finite, continuous].map(spaceOf).filter((space) => samplers[name].mistakes(space).length === 0);
    const create = (space: Space, seed = 230) => {
      const content = { space: { x: [1] }, sampler: name };
      return createSampler(parseSettings(content, 'search.json').sampler, space, seed);
    };
    /** Trials in all states, by a search of 20 trials. */
    const historyOf = (space: Space): FrozenTrial[] => {
      const states = ['complete', 'pruned', 'complete', 'failed', 'complete', 'running', 'complete'] as const;
      return search(create(space), 20, score).map((one, i) => ({
        ...one,
        state: states[i % states.length]!,
        epochs: 1 + (i % 5),
      }));
    };

    it('can do at least the space of lists', () => expect(spaces).not.to.have.lengthOf(0));

    it('proposes points of the space, in its order', () => {
      for (const space of spaces) {
        for (const { params } of search(create(space), 60, score)) {
          expect(isPointOf(space, params), JSON.stringify(params)).to.equal(true);
          const paths = space.map(({ path }) => path);
          expect(Object.keys(params)).to.deep.equal(paths.filter((path) => Object.hasOwn(params, path)));
        }
      }
    });

    it('reaches every value of every dimension, and every condition', () => {
      const [space] = spaces as [Space];
      const points = search(create(space), 200, score).map(({ params }) => params);
      for (const dimension of space) {
        const reached = new Set(points.map((point) => point[dimension.path]).filter((value) => value !== undefined));
        expect(new Set([...reached].map(canonical)).size, dimension.path).to.equal(
          dimension.kind === 'choice' ? dimension.values.length : 3,
        );
      }
    });

    it('gives the same trial again, from the start or from the middle, in whatever order history comes', () => {
      for (const space of spaces) {
        const history = historyOf(space);
        const used = create(space);
        for (let trial = 0; trial < 5; trial++) used.suggest(trial, []);
        for (const trial of [0, 3, history.length]) {
          const proposed = used.suggest(trial, history);
          expect(create(space).suggest(trial, history)).to.deep.equal(proposed);
          expect(create(space).suggest(trial, history.toReversed())).to.deep.equal(proposed);
        }
      }
    });

    it('gives the same trial after a journey through JSON', () => {
      const copy = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;
      for (const space of spaces) {
        const history = historyOf(space);
        const proposed = create(space).suggest(history.length, history);
        expect(copy({ point: proposed })).to.deep.equal({ point: proposed });
        expect(create(copy(space)).suggest(history.length, copy(history))).to.deep.equal(proposed);
      }
    });

    it('leaves history as it was', () => {
      for (const space of spaces) {
        const history = historyOf(space);
        const before = structuredClone(history);
        create(space).suggest(history.length, history);
        expect(history).to.deep.equal(before);
      }
    });

    it('goes on after failures, values that are no numbers, and points that the space no longer has', () => {
      for (const space of spaces) {
        const good = search(create(space), 15, score);
        const strange: FrozenTrial[] = [
          { number: 100, params: good[0]!.params, state: 'complete', value: NaN },
          { number: 101, params: good[0]!.params, state: 'complete' },
          { number: 102, params: good[0]!.params, state: 'pruned', value: NaN, epochs: 3 },
          { number: 103, params: good[0]!.params, state: 'pruned' },
          { number: 104, params: good[0]!.params, state: 'failed', value: 1 },
          { number: 105, params: { gone: 1 }, state: 'complete', value: 1 },
          { number: 106, params: good[0]!.params, state: 'complete', value: -Infinity },
        ];
        for (const history of [strange, [...good, ...strange]]) {
          expect(isPointOf(space, create(space).suggest(1, history)!)).to.equal(true);
        }
      }
    });

    if (name !== 'grid') {
      it('depends on the seed', () => {
        for (const space of spaces) {
          const points = (seed: number) => search(create(space, seed), 12, score).map(({ params }) => params);
          expect(points(1)).not.to.deep.equal(points(2));
        }
      });
    }
  });
}

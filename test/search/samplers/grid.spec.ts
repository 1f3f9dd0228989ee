import { expect } from 'chai';
import { createSampler } from '../../../search/samplers';
import { gridSize } from '../../../search/samplers/grid';
import { classicSearch, parseSettings } from '../../../search/settings/settings';
import type { Point } from '../../../search/space/space';
import { trialName } from '../../../search/trials/trial_name';
import { search } from '../../helpers/search';

const pointsOf = (content: object): Point[] => {
  const { space, sampler, seed, n_trials } = parseSettings(content, 'search.json');
  const points = search(createSampler(sampler, space, seed), 1e6, () => 0).map(({ params }) => params);
  expect(n_trials).to.equal(points.length);
  return points;
};

describe('the grid', () => {
  it('has the points of nested loops, the first dimension outermost', () => {
    expect(pointsOf({ space: { a: [2, 1], b: { low: 0, high: 1, step: 0.5 } } })).to.deep.equal(
      [2, 1].flatMap((a) => [0, 0.5, 1].map((b) => ({ a, b }))),
    );
  });

  it('has the points of nested loops where some dimensions exist under conditions', () => {
    const space = {
      optimizer: ['adam', 'sgd', 'lamb'],
      x: [1, 2],
      momentum: { values: [0, 0.5, 0.9], when: { optimizer: 'sgd' } },
      nesterov: { values: [true, false], when: { momentum: [0.5, 0.9] } },
      y: [3, 4],
    };
    const expected: Point[] = [];
    for (const optimizer of space.optimizer) {
      for (const x of space.x) {
        for (const momentum of optimizer === 'sgd' ? space.momentum.values : [undefined]) {
          for (const nesterov of momentum ? space.nesterov.values : [undefined]) {
            for (const y of space.y) {
              expected.push(JSON.parse(JSON.stringify({ optimizer, x, momentum, nesterov, y })) as Point);
            }
          }
        }
      }
    }
    expect(pointsOf({ space })).to.deep.equal(expected);
  });

  it('has each point once', () => {
    const points = pointsOf({ space: { a: [1, 2, 3], b: { low: 1, high: 20, integer: true }, c: ['x', { y: 1 }] } });
    expect(points).to.have.lengthOf(120);
    expect(new Set(points.map((point) => trialName(point))).size).to.equal(120);
  });

  it('is not built to be counted or asked', () => {
    const axis = { low: 0, high: 99, integer: true };
    const space = Object.fromEntries(Array.from({ length: 7 }, (_, i) => [`x${i}`, axis]));
    const settings = parseSettings(
      { space: { ...space, huge: { low: 0, high: 2 ** 32, integer: true } }, n_trials: 10 },
      'search.json',
    );
    expect(gridSize(settings.space)).to.equal(100 ** 7 * (2 ** 32 + 1));
    expect(createSampler(settings.sampler, settings.space, 0).suggest(2 ** 32 + 5, [])).to.deep.equal({
      ...{ x0: 0, x1: 0, x2: 0, x3: 0, x4: 0, x5: 0, x6: 1 },
      huge: 4,
    });
  });

  it('without search.json is the published one, with its names', () => {
    const names = pointsOf(classicSearch).map((point) => trialName(point, 'classic'));
    expect(names).to.have.lengthOf(40);
    expect(names.slice(0, 9)).to.deep.equal([
      'alpha_0.99_Temp_20.0',
      'alpha_0.99_Temp_10.0',
      'alpha_0.99_Temp_8.0',
      'alpha_0.99_Temp_6.0',
      'alpha_0.99_Temp_4.5',
      'alpha_0.99_Temp_3.0',
      'alpha_0.99_Temp_2.0',
      'alpha_0.99_Temp_1.5',
      'alpha_0.95_Temp_20.0',
    ]);
    expect(names.at(-1)).to.equal('alpha_0.05_Temp_1.5');
  });
});

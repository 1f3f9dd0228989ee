import { expect } from 'chai';
import { createSampler } from '../../../search/samplers';
import { sobolWord, SOBOL_DIMENSIONS } from '../../../search/samplers/sobol';
import type { Space } from '../../../search/space/space';
import { Random } from '../../../utils/random';
import expected from '../../fixtures/sobol.json';

const cube = (dimensions: number): Space =>
  Array.from({ length: dimensions }, (_, i) => ({ kind: 'range', path: `x${i}`, low: 0, high: 1, log: false }));

/** The first points of the scrambled sequence in the unit cube. */
function points(count: number, dimensions: number, seed: number): number[][] {
  const sampler = createSampler({ name: 'sobol' }, cube(dimensions), seed);
  return Array.from({ length: count }, (_, i) => Object.values(sampler.suggest(i, [])!) as number[]);
}

describe('the Sobol sequence', () => {
  it('is PyTorch’s in all dimensions', () => {
    const words = (index: number) =>
      Array.from({ length: SOBOL_DIMENSIONS }, (_, dimension) => sobolWord(index, dimension) / 4);
    expected.first.forEach((point, i) => expect(words(i)).to.deep.equal(point));
    expected.later.points.forEach((point, i) => expect(words(expected.later.index + i)).to.deep.equal(point));
  });

  it('fills every elementary interval of the plane once, scrambled by any seed', () => {
    for (const seed of [1, 2, 3]) {
      const plane = points(64, 2, seed);
      for (let across = 0; across <= 6; across++) {
        const cells = plane.map(([x, y]) => [Math.floor(x! * 2 ** across), Math.floor(y! * 2 ** (6 - across))].join());
        expect(new Set(cells).size).to.equal(64);
      }
    }
  });

  it('fills every interval of each of its dimensions once', () => {
    for (const [d] of cube(SOBOL_DIMENSIONS).entries()) {
      const cells = points(32, SOBOL_DIMENSIONS, 4).map((point) => Math.floor(point[d]! * 32));
      expect(new Set(cells).size).to.equal(32);
    }
  });

  it('scrambles each point to a uniform one', () => {
    const firsts = Array.from({ length: 2000 }, (_, seed) => points(2, 1, seed).map(([x]) => x!));
    for (const index of [0, 1]) {
      const values = firsts.map((one) => one[index]!);
      const mean = values.reduce((a, b) => a + b) / values.length;
      const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length;
      expect(mean).to.be.closeTo(0.5, 0.025);
      expect(variance).to.be.closeTo(1 / 12, 0.006);
    }
  });

  it('integrates a smooth function far better than random points', () => {
    // ∫ Π (1 + (x_d − ½) / 2) over the cube is 1.
    const error = (those: number[][]) =>
      Math.abs(
        those.reduce((sum, point) => sum + point.reduce((p, x) => p * (1 + (x - 0.5) / 2), 1), 0) / those.length - 1,
      );
    const rms = (errors: number[]) => Math.sqrt(errors.reduce((sum, e) => sum + e * e, 0) / errors.length);
    const seeds = [1, 2, 3, 4, 5, 6, 7, 8];
    const random = (seed: number) =>
      Array.from({ length: 256 }, (_, i) => Array.from({ length: 6 }, (_, d) => new Random(seed, 'x').uniform(i, d)));
    const ratio = rms(seeds.map((seed) => error(points(256, 6, seed)))) / rms(seeds.map((seed) => error(random(seed))));
    expect(ratio).to.be.below(0.1);
  });
});

import { expect } from 'chai';
import { bootstrapInterval } from '../../../report/statistics/bootstrap';
import { statistics } from '../../helpers/statistics';

/** The percentiles 2.5 and 97.5 of the mean over all nⁿ resamples, one after another. */
function counted(differences: readonly number[]): [number, number] {
  const n = differences.length;
  const sums = Array.from({ length: n ** n }, (_, resample) => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += differences[Math.floor(resample / n ** i) % n]!;
    return sum;
  });
  sums.sort((a, b) => a - b);
  const percentile = (level: number) => sums[Math.ceil(level * sums.length) - 1]! / n;
  return [percentile(0.025), percentile(0.975)];
}

describe('bootstrapInterval', () => {
  it('is that of all resamples, counted one by one', () => {
    expect(bootstrapInterval({ gained: 3, lost: 1 }, 6)).to.deep.equal(counted([1, 1, 1, -1, 0, 0]));
    expect(bootstrapInterval({ gained: 1, lost: 0 }, 7)).to.deep.equal(counted([1, 0, 0, 0, 0, 0, 0]));
    expect(bootstrapInterval({ gained: 2, lost: 4 }, 6)).to.deep.equal(counted([1, 1, -1, -1, -1, -1]));
  });

  for (const { n, gained, lost, interval } of statistics.bootstrap) {
    it(`is that of 20,000 resamples by SciPy for ${gained} gained and ${lost} lost of ${n}`, () => {
      const ours = bootstrapInterval({ gained, lost }, n);
      // They differ by the noise of drawing: about 3 % of a standard error, and a step of the lattice.
      const tolerance = (0.1 * Math.sqrt(gained + lost)) / n + 1 / n;
      for (const side of [0, 1]) expect(ours[side]).to.be.closeTo(interval[side]!, tolerance);
    });
  }

  it('is a point where the classifiers always agree, or never', () => {
    expect(bootstrapInterval({ gained: 0, lost: 0 }, 50)).to.deep.equal([0, 0]);
    expect(bootstrapInterval({ gained: 20, lost: 0 }, 20)).to.deep.equal([1, 1]);
    expect(bootstrapInterval({ gained: 0, lost: 20 }, 20)).to.deep.equal([-1, -1]);
  });
});

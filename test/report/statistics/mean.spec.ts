import { expect } from 'chai';
import { mean, standardDeviation } from '../../../report/statistics/mean';

describe('mean and standardDeviation', () => {
  it('are those of a sample', () => {
    expect(mean([2, 4, 4, 4, 5, 5, 7, 9])).to.equal(5);
    expect(standardDeviation([2, 4, 4, 4, 5, 5, 7, 9])).to.be.closeTo(Math.sqrt(32 / 7), 1e-15);
    expect(standardDeviation([3])).to.deep.equal(NaN);
    expect(mean([])).to.deep.equal(NaN);
  });
});

import { expect } from 'chai';
import { histogram } from '../../../report/statistics/histogram';

describe('histogram', () => {
  it('counts in bins that contain their lower end, the last one its upper end too', () => {
    expect(histogram([0, 0.24, 0.25, 0.5, 0.99, 1], 0, 1, 4)).to.deep.equal([2, 1, 1, 2]);
    expect(histogram([-1, 1, 3], -1, 3, 2)).to.deep.equal([1, 2]);
  });

  it('leaves out what is outside or no number', () => {
    expect(histogram([-0.1, 1.1, NaN, Infinity, 0.5], 0, 1, 2)).to.deep.equal([0, 1]);
  });
});

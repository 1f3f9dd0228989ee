import { expect } from 'chai';
import { median } from '../../utils/median';

describe('median', () => {
  it('is the middle of the sorted values, or the mean of the two in the middle', () => {
    expect(median([9, 1, 3])).to.equal(3);
    expect(median([4, 100, 1, 2])).to.equal(3);
    expect(median([7])).to.equal(7);
    expect(median([])).to.deep.equal(NaN);
  });
});

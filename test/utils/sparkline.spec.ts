import { expect } from 'chai';
import { sparkline } from '../../utils/sparkline';

describe('sparkline', () => {
  it('draws the smallest value lowest, the largest highest, and others between them', () => {
    expect(sparkline([0, 1, 2, 3, 4, 5, 6, 7])).to.equal('▁▂▃▄▅▆▇█');
    expect(sparkline([0.7, 0.1, 0.4])).to.equal('█▁▅');
  });

  it('has a block for each value, and leaves values out evenly if there are too many', () => {
    expect(sparkline([3])).to.equal('▁');
    expect(sparkline([2, 2, 2])).to.equal('▁▁▁');
    const values = Array.from({ length: 100 }, (_, i) => i);
    expect(sparkline(values, 8)).to.equal('▁▂▃▄▅▆▇█');
  });

  it('leaves a gap for a value that is not finite', () => {
    expect(sparkline([0, NaN, 7])).to.equal('▁ █');
  });
});

import { expect } from 'chai';
import { pairedDifference } from '../../../report/statistics/paired_difference';
import { statistics } from '../../helpers/statistics';

describe('pairedDifference', () => {
  for (const { source, a, b, p, interval } of statistics.paired_t) {
    it(`gives SciPy's p and interval: ${source}`, () => {
      const ours = pairedDifference(a, b);
      expect(ours.p).to.be.closeTo(p, 1e-11);
      for (const side of [0, 1]) expect(ours.interval[side]).to.be.closeTo(interval[side]!, 1e-10);
    });
  }

  it("gives what R's paired t test prints", () => {
    // t.test(extra ~ group, paired = TRUE) of sleep: t = -4.0621, p-value = 0.002833, from 0.7001142 to 2.4598858.
    const { a, b } = statistics.paired_t[0]!;
    const { n, mean, standardError, interval, p } = pairedDifference(a, b);
    expect(n).to.equal(10);
    expect(mean).to.be.closeTo(1.58, 1e-12);
    expect(mean / standardError).to.be.closeTo(4.0621, 5e-5);
    expect(p).to.be.closeTo(0.002833, 5e-7);
    expect(interval[0]).to.be.closeTo(0.7001142, 5e-8);
    expect(interval[1]).to.be.closeTo(2.4598858, 5e-8);
  });

  it('is certain where all differences are equal, and sees none where they are 0', () => {
    expect(pairedDifference([1, 2, 3], [2, 3, 4])).to.deep.include({ mean: 1, p: 0, interval: [1, 1] });
    expect(pairedDifference([1, 2], [1, 2])).to.deep.include({ mean: 0, p: 1, interval: [0, 0] });
    expect(pairedDifference([1, 2], [2, 1]).p).to.equal(1);
  });

  it('has no interval for one pair, and refuses what are no pairs', () => {
    const { n, mean, standardError, interval, p } = pairedDifference([1], [3]);
    expect([n, mean]).to.deep.equal([1, 2]);
    for (const value of [standardError, ...interval, p]) expect(value).to.deep.equal(NaN);
    expect(pairedDifference([2], [2]).p).to.deep.equal(NaN);
    expect(pairedDifference([], []).p).to.deep.equal(NaN);
    expect(() => pairedDifference([1, 2], [1])).to.throw('got 2 and 1 values');
  });
});

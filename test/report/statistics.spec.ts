import { expect } from 'chai';
import { mean, pairedDifference, standardDeviation } from '../../report/statistics';

describe('mean and standardDeviation', () => {
  it('are those of a sample', () => {
    expect(mean([2, 4, 4, 4, 5, 5, 7, 9])).to.equal(5);
    expect(standardDeviation([2, 4, 4, 4, 5, 5, 7, 9])).to.be.closeTo(Math.sqrt(32 / 7), 1e-15);
    expect(standardDeviation([3])).to.deep.equal(NaN);
    expect(mean([])).to.deep.equal(NaN);
  });
});

describe('pairedDifference', () => {
  it("gives the interval of R's paired t test", () => {
    // The sleep data of Student 1908: t.test(extra ~ group, paired = TRUE) gives 1.58, from 0.7001142 to 2.4598858.
    const first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
    const second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
    const { n, mean, standardError, interval } = pairedDifference(first, second);
    expect(n).to.equal(10);
    expect(mean).to.be.closeTo(1.58, 1e-12);
    expect(mean / standardError).to.be.closeTo(4.0621, 5e-5);
    expect(interval[0]).to.be.closeTo(0.7001142, 5e-8);
    expect(interval[1]).to.be.closeTo(2.4598858, 5e-8);
  });

  it('has no interval for one pair, and refuses what are no pairs', () => {
    const { n, mean, standardError, interval } = pairedDifference([1], [3]);
    expect([n, mean]).to.deep.equal([1, 2]);
    for (const value of [standardError, ...interval]) expect(value).to.deep.equal(NaN);
    expect(() => pairedDifference([1, 2], [1])).to.throw('got 2 and 1 values');
  });
});

import { expect } from 'chai';
import { binomial } from '../../../report/statistics/binomial';
import { statistics } from '../../helpers/statistics';

describe('binomial', () => {
  for (const { n, p, k, probabilities } of statistics.binomial) {
    it(`gives SciPy's probabilities for n = ${n} and p = ${p}`, () => {
      const ours = binomial(n, p);
      expect(ours).to.have.lengthOf(n + 1);
      for (const [i, one] of k.entries()) {
        const expected = probabilities[i]!;
        expect(ours[one], `k = ${one}`).to.be.closeTo(expected, Math.max(expected * 1e-9, 1e-300));
      }
    });
  }

  it('is one number for p = 0, p = 1 and n = 0', () => {
    expect([...binomial(3, 0)]).to.deep.equal([1, 0, 0, 0]);
    expect([...binomial(3, 1)]).to.deep.equal([0, 0, 0, 1]);
    expect([...binomial(0, 0.5)]).to.deep.equal([1]);
  });
});

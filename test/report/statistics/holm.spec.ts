import { expect } from 'chai';
import { holm } from '../../../report/statistics/holm';
import { statistics } from '../../helpers/statistics';

describe('holm', () => {
  for (const { source, values, corrected } of statistics.holm) {
    it(`gives the corrected values of statsmodels: ${source}`, () => {
      const ours = holm(values);
      expect(ours).to.have.lengthOf(values.length);
      for (const [i, expected] of corrected.entries()) expect(ours[i]).to.be.closeTo(expected, 1e-14);
    });
  }

  it('leaves a single value as it is, and takes none', () => {
    expect(holm([0.03])).to.deep.equal([0.03]);
    expect(holm([])).to.deep.equal([]);
  });

  it('is monotone: what is smaller stays smaller', () => {
    // By hand: 5 · 0.01; 4 · 0.011 = 0.044, raised to 0.05; 3 · 0.02; 2 · 0.3; 1 · 0.4, raised to 0.6.
    const expected = [0.05, 0.05, 0.06, 0.6, 0.6];
    for (const [i, value] of holm([0.01, 0.011, 0.02, 0.4, 0.3]).entries())
      expect(value).to.be.closeTo(expected[i]!, 1e-15);
  });
});

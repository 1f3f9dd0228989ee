import { expect } from 'chai';
import { mcnemar } from '../../../report/statistics/mcnemar';
import { statistics } from '../../helpers/statistics';

describe('mcnemar', () => {
  for (const { source, gained, lost, midp } of statistics.mcnemar) {
    it(`is the exact test of statsmodels less what was observed: ${source}`, () => {
      expect(mcnemar({ gained, lost })).to.be.closeTo(midp, midp * 1e-10);
      expect(mcnemar({ gained: lost, lost: gained })).to.be.closeTo(midp, midp * 1e-10);
    });
  }

  it('is 0.039 for the published example of the mid-p test', () => {
    // Fagerland, Lydersen and Laake 2013, table 2: airway responsiveness before and after a transplantation.
    expect(mcnemar({ gained: 7, lost: 1 })).to.be.closeTo(0.039, 5e-4);
  });

  it('is 1 where nothing speaks for either', () => {
    for (const count of [0, 1, 50, 5000]) expect(mcnemar({ gained: count, lost: count })).to.be.closeTo(1, 1e-9);
  });
});

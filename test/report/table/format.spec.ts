import { expect } from 'chai';
import { compact, grouped, metric, rounded, signed } from '../../../report/table/format';

describe('numbers in tables', () => {
  it('are shown with the digits that matter', () => {
    expect([0.84494, 0, 12.5, 0.001, 0.00012345, -1e-7, NaN].map(metric)).to.deep.equal([
      '0.8449',
      '0.0000',
      '12.5000',
      '0.0010',
      '0.000123',
      '-1.00e-7',
      'NaN',
    ]);
    expect([0.0123, -0.5, 0].map(signed)).to.deep.equal(['+0.0123', '-0.5000', '+0.0000']);
    expect([12, 12.25].map(rounded)).to.deep.equal(['12', '12.3']);
    expect(grouped(11173962)).to.equal('11,173,962');
    expect([0, 999, 1000, 81102080, 5.57e8, 1.2e13, 3e16].map(compact)).to.deep.equal([
      '0',
      '999',
      '1 k',
      '81.1 M',
      '557 M',
      '12 T',
      '30000 T',
    ]);
  });
});

import { expect } from 'chai';
import { compareNaturally, sortNaturally } from '../../../report/collect/natural_order';

describe('sortNaturally', () => {
  const order = [
    '.',
    'a',
    'a/T_2',
    'a/T_2/x',
    'a/T_2.5',
    'a/T_10',
    'a1',
    'a1.0',
    'a1.00',
    'a2',
    'a-b',
    'alpha_0.05_Temp_1.5',
    'alpha_0.05_Temp_20.0',
    'alpha_0.1_Temp_2.0',
    'alpha_0.1_Temp_10.0',
    'alpha_0.95',
    'b',
  ];

  it('goes folder by folder, and by the size of numbers', () => {
    const shuffled = [...order].sort((a, b) => ((a.length * 7) % 5) - ((b.length * 7) % 5) || (a < b ? 1 : -1));
    expect(shuffled).not.to.deep.equal(order);
    expect(sortNaturally(shuffled, (text) => text)).to.deep.equal(order);
  });

  it('is a strict order', () => {
    for (const [i, a] of order.entries()) {
      for (const [j, b] of order.entries())
        expect(Math.sign(compareNaturally(a, b)), `${a} ${b}`).to.equal(Math.sign(i - j));
    }
  });
});

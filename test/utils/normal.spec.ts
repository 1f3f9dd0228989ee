import { expect } from 'chai';
import { erf, normalCumulative } from '../../utils/normal';

describe('the normal distribution', () => {
  it('has the error function', () => {
    // Abramowitz and Stegun, table 7.1.
    const table = [
      [0, 0],
      [0.5, 0.5204998778],
      [1, 0.8427007929],
      [2, 0.995322265],
      [3, 0.9999779095],
      [-1, -0.8427007929],
      [7, 1],
    ] as const;
    for (const [x, y] of table) expect(erf(x)).to.be.closeTo(y, 1e-10);
  });
});

describe('normalCumulative', () => {
  it('has the values of the tables', () => {
    // Abramowitz & Stegun, table 26.1.
    const table = [
      [0, 0.5],
      [1, 0.841344746068543],
      [1.96, 0.975002104851779],
      [-3, 0.00134989803163],
      [5, 0.999999713348428],
    ] as const;
    for (const [x, value] of table) expect(normalCumulative(x), `${x}`).to.be.closeTo(value, 1e-14);
    expect([normalCumulative(9), normalCumulative(-9)]).to.deep.equal([1, 0]);
  });
});

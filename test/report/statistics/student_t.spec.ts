import { expect } from 'chai';
import { logGamma, regularizedBeta, tCumulative, tQuantile } from '../../../report/statistics/student_t';

/** Columns 0.90, 0.95, 0.975, 0.99, 0.995 of the published table of t, by degrees of freedom. */
const tableOfT: Readonly<Record<number, readonly number[]>> = {
  1: [3.078, 6.314, 12.706, 31.821, 63.657],
  2: [1.886, 2.92, 4.303, 6.965, 9.925],
  3: [1.638, 2.353, 3.182, 4.541, 5.841],
  4: [1.533, 2.132, 2.776, 3.747, 4.604],
  5: [1.476, 2.015, 2.571, 3.365, 4.032],
  9: [1.383, 1.833, 2.262, 2.821, 3.25],
  10: [1.372, 1.812, 2.228, 2.764, 3.169],
  19: [1.328, 1.729, 2.093, 2.539, 2.861],
  30: [1.31, 1.697, 2.042, 2.457, 2.75],
  120: [1.289, 1.658, 1.98, 2.358, 2.617],
};

function expectClose(value: number, expected: number, tolerance = 1e-11): void {
  expect(value).to.be.closeTo(expected, Math.abs(expected) * tolerance);
}

describe("Student's t", () => {
  it('has the quantiles of the published table', () => {
    for (const [degrees, row] of Object.entries(tableOfT)) {
      [0.9, 0.95, 0.975, 0.99, 0.995].forEach((probability, i) => {
        expect(tQuantile(probability, Number(degrees))).to.be.closeTo(row[i]!, 0.0005 + 1e-9);
      });
    }
  });

  it("has SciPy's quantiles and probabilities", () => {
    // scipy.stats.t.ppf, scipy.stats.t.cdf
    expectClose(tQuantile(0.975, 2), 4.302652729749462);
    expectClose(tQuantile(0.975, 4), 2.7764451051977934);
    expectClose(tQuantile(0.975, 100), 1.9839715185235518);
    expectClose(tQuantile(0.6, 2.5), 0.2814595127485477);
    expectClose(tQuantile(0.025, 7), -2.3646242515927844);
    expectClose(tQuantile(0.9999, 3), 22.203742273205);
    expectClose(tCumulative(2, 5), 0.9490302605850708);
    expectClose(tCumulative(-1e-3, 3), 0.49963244748473046);
    expectClose(tCumulative(40, 3), 0.9999828096596054);
  });

  it('is the distribution of Cauchy for one degree of freedom, and has a closed form for two', () => {
    for (const t of [-50, -3, -0.7, 0, 0.01, 1, 2.5, 1000]) {
      expect(tCumulative(t, 1)).to.be.closeTo(0.5 + Math.atan(t) / Math.PI, 1e-13);
      expect(tCumulative(t, 2)).to.be.closeTo(0.5 + t / (2 * Math.sqrt(2 + t * t)), 1e-13);
    }
    expectClose(tQuantile(0.975, 1), Math.tan(0.475 * Math.PI));
  });

  it('approaches the normal distribution', () => {
    expect(tQuantile(0.975, 1e7)).to.be.closeTo(1.959963984540054, 1e-6);
  });

  it('is symmetric, and the quantile is its inverse', () => {
    for (const degrees of [1, 2, 3.5, 12, 400]) {
      for (const probability of [0.001, 0.2, 0.5, 0.8, 0.999]) {
        expect(tCumulative(tQuantile(probability, degrees), degrees)).to.be.closeTo(probability, 1e-12);
        expectClose(tQuantile(1 - probability, degrees), -tQuantile(probability, degrees), 1e-9);
      }
    }
  });
});

describe('the incomplete beta function', () => {
  it('is a polynomial for whole numbers', () => {
    for (const x of [0, 0.1, 0.5, 0.77, 1]) {
      expect(regularizedBeta(x, 1, 1)).to.be.closeTo(x, 1e-14);
      expect(regularizedBeta(x, 2, 1)).to.be.closeTo(x ** 2, 1e-14);
      expect(regularizedBeta(x, 2, 2)).to.be.closeTo(x ** 2 * (3 - 2 * x), 1e-14);
      expect(regularizedBeta(x, 1, 3)).to.be.closeTo(1 - (1 - x) ** 3, 1e-14);
    }
  });

  it("has SciPy's values", () => {
    // scipy.special.betainc
    expectClose(regularizedBeta(0.3, 2.5, 4.1), 0.3631825104219686);
    expectClose(regularizedBeta(0.999, 0.5, 0.5), 0.9798649583666235);
  });
});

describe('logGamma', () => {
  it('is the logarithm of the factorial', () => {
    let sum = 0;
    for (let n = 1; n <= 170; n++) {
      expect(logGamma(n)).to.be.closeTo(sum, 1e-12 * Math.max(1, sum));
      sum += Math.log(n);
    }
  });

  it('knows the half', () => {
    expect(logGamma(0.5)).to.be.closeTo(Math.log(Math.PI) / 2, 1e-13);
    expect(logGamma(2.5)).to.be.closeTo(Math.log((3 / 4) * Math.sqrt(Math.PI)), 1e-13);
  });
});

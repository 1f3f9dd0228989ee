/** Texts against what NumPy 1.24 (`numpy.savetxt`) and Python 3.11 (`repr`) print. */
import { expect } from 'chai';
import { formatExponential, formatPythonFloat, formatSavetxt } from '../../formats/numpy_text';

describe('formatExponential', () => {
  const printed: [number, string][] = [
    [0, '0.000000000000000000e+00'],
    [1, '1.000000000000000000e+00'],
    [-1000, '-1.000000000000000000e+03'],
    [1 / 3, '3.333333333333333148e-01'],
    [Math.fround(0.1), '1.000000014901161194e-01'],
    [2 ** -1022, '2.225073858507201383e-308'],
    [1.7976931348623157e308, '1.797693134862315708e+308'],
    [NaN, 'nan'],
    [-Infinity, '-inf'],
  ];
  for (const [value, text] of printed) it(`prints ${text}`, () => expect(formatExponential(value)).to.equal(text));

  it('rounds a tie to the even digit', () => {
    expect(formatExponential(0.5 + 1 / 2 ** 20)).to.equal('5.000009536743164062e-01');
    expect(formatExponential(0.5 + 3 / 2 ** 20)).to.equal('5.000028610229492188e-01');
  });
});

describe('formatSavetxt', () => {
  it('separates columns by a space and ends every row', () => {
    const text =
      '1.000000000000000000e+00 2.500000000000000000e-01\n' + '-3.000000000000000000e+00 0.000000000000000000e+00\n';
    expect(formatSavetxt([1, 0.25, -3, 0], 2)).to.equal(text);
    expect(formatSavetxt([], 10)).to.equal('');
  });
});

describe('formatPythonFloat', () => {
  const printed: [number, string][] = [
    [20, '20.0'],
    [1, '1.0'],
    [4.5, '4.5'],
    [0.0001, '0.0001'],
    [0.00001, '1e-05'],
    [1.5e-7, '1.5e-07'],
    [1e15, '1000000000000000.0'],
    [1e16, '1e+16'],
    [0.1 + 0.2, '0.30000000000000004'],
  ];
  for (const [value, text] of printed) it(`prints ${text}`, () => expect(formatPythonFloat(value)).to.equal(text));
});

import { expect } from 'chai';
import { calibrationBins, calibrationError, calibrationErrorOf } from '../../runs/calibration';
import { statistics } from '../helpers/statistics';

describe('calibrationError', () => {
  it('is 0 where confidence is accuracy', () => {
    expect(calibrationError([0.75, 0.75, 0.75, 0.75], [true, false, true, true])).to.equal(0);
  });

  it('weights the gap of each bin by its share of the examples', () => {
    // Two bins: 0.2 and 0.4, both right (gap 0.7), and 0.9, 0.8, 0.7, one of them right (gap 0.8 − 1/3).
    const confidences = [0.2, 0.4, 0.9, 0.8, 0.7];
    const correct = [true, true, false, true, false];
    expect(calibrationError(confidences, correct, 2)).to.be.closeTo((2 / 5) * 0.7 + (3 / 5) * (0.8 - 1 / 3), 1e-12);
  });

  it('puts a confidence on the edge of two bins into the lower one', () => {
    // Apart, the gaps of +0.5 and −0.75 do not cancel.
    expect(calibrationError([0.5, 0.75], [true, false], 2)).to.equal(0.625);
    expect(calibrationError([0.5, 0.25], [true, false], 2)).to.equal(0.125);
  });

  it('has 15 bins unless told otherwise', () => {
    // 0.34 and 0.39 share the bin (5/15, 6/15], but not one of 14: their gaps cancel in part.
    expect(calibrationError([0.34, 0.39], [true, false])).to.be.closeTo((0.66 - 0.39) / 2, 1e-12);
    expect(calibrationError([0.34, 0.39], [true, false], 14)).to.be.closeTo((0.66 + 0.39) / 2, 1e-12);
  });

  for (const { bins, confidences, correct, error } of statistics.calibration) {
    it(`is what SciPy's means within ${bins} bins give`, () => {
      expect(calibrationError(confidences, correct, bins)).to.be.closeTo(error, 1e-12);
    });
  }

  it('is what the bins of a reliability diagram give', () => {
    // Three bins: none, 0.5 and 0.6 (one right), 0.9 and 1 (both right): ECE = (|1 − 1.1| + |2 − 1.9|) / 4.
    const bins = calibrationBins([0.5, 0.6, 0.9, 1], [true, false, true, true], 3);
    expect(bins).to.deep.equal([
      { images: 0, correct: 0, confidence: 0 },
      { images: 2, correct: 1, confidence: 1.1 },
      { images: 2, correct: 2, confidence: 1.9 },
    ]);
    expect(calibrationErrorOf(bins)).to.be.closeTo(0.05, 1e-12);
  });

  it('is not a number where a confidence is none', () => {
    expect(calibrationError([0.5, NaN], [true, false])).to.deep.equal(NaN);
  });
});

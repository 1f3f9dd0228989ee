/** Figures of predictions against values that follow by hand. */
import { expect } from 'chai';
import {
  analyze,
  classAccuracies,
  confusionMatrix,
  crossEntropies,
  klDivergence,
  meanByClass,
  predictedClasses,
  softmaxRows,
  splitLoss,
  tellingExamples,
  topAccuracy,
} from '../../../model/evaluation/metrics';

const ln = Math.log;

/** Logits whose softmax is these probabilities. */
function logitsOf(...rows: number[][]): Float32Array {
  return Float32Array.from(rows.flat(), (p) => ln(p));
}

describe('softmaxRows', () => {
  it('is (2/3, 1/3) for a difference of ln 2, and its root at temperature 2', () => {
    const logits = Float32Array.of(5 + ln(2), 5, ln(2), 0);
    const halved = 1 / (1 + Math.sqrt(2));
    [2 / 3, 1 / 3, 2 / 3, 1 / 3].forEach((p, i) => expect(softmaxRows(logits, 2)[i]).to.be.closeTo(p, 1e-6));
    [1 - halved, halved].forEach((p, i) => expect(softmaxRows(logits, 2, 2)[i]).to.be.closeTo(p, 1e-6));
  });

  it('stays finite for large logits', () => {
    expect([...softmaxRows(Float32Array.of(1e30, -1e30, 1e30), 3)]).to.deep.equal([0.5, 0, 0.5]);
  });
});

describe('predictedClasses', () => {
  it('takes the largest logit of a row, and the first of a tie', () => {
    const logits = Float32Array.of(-3, -1, -2, 0, 7, 7, 4, 4, 4);
    expect([...predictedClasses({ logits, labels: [0, 0, 0], classes: 3 })]).to.deep.equal([1, 1, 0]);
  });
});

describe('topAccuracy', () => {
  const logits = Float32Array.of(4, 3, 2, 1, 4, 3, 2, 1, 4, 3, 2, 1, 5, 5, 5, 5);
  const predictions = { logits, labels: [0, 1, 3, 2], classes: 4 };

  it('counts the rows whose true class is among the k largest; of equal ones the first classes count', () => {
    expect([1, 2, 3, 4, 5].map((k) => topAccuracy(predictions, k))).to.deep.equal([0.25, 0.5, 0.75, 1, 1]);
  });
});

describe('crossEntropies', () => {
  it('are −ln of the probability of the true class', () => {
    const logits = logitsOf([0.5, 0.25, 0.25], [0.1, 0.2, 0.7]);
    const [first, second] = crossEntropies({ logits, labels: [1, 2], classes: 3 });
    expect(first).to.be.closeTo(ln(4), 1e-6);
    expect(second).to.be.closeTo(-ln(0.7), 1e-6);
  });

  it('are finite where the probability is too small for a float', () => {
    expect(crossEntropies({ logits: Float32Array.of(0, 5000), labels: [0], classes: 2 })[0]).to.equal(5000);
  });
});

describe('confusionMatrix', () => {
  const counts = confusionMatrix([0, 0, 0, 1, 1], [0, 1, 1, 1, 0], 3);

  it('has the true class by row, and the predicted one by column', () => {
    expect(counts).to.deep.equal([
      [1, 2, 0],
      [1, 1, 0],
      [0, 0, 0],
    ]);
  });

  it('gives the accuracy of each class that has examples', () => {
    expect(classAccuracies(counts)).to.deep.equal([1 / 3, 1 / 2, undefined]);
  });
});

describe('splitLoss', () => {
  it('gives number, mean and total of the loss of right and wrong examples', () => {
    expect(splitLoss([0.5, 2, 0.25, 4], [true, false, true, false])).to.deep.equal({
      correct: { count: 2, mean: 0.375, total: 0.75 },
      wrong: { count: 2, mean: 3, total: 6 },
    });
  });

  it('has no mean for an empty group', () => {
    expect(splitLoss([1], [true]).wrong).to.deep.equal({ count: 0, mean: null, total: 0 });
  });
});

describe('klDivergence', () => {
  const teacher = logitsOf([0.5, 0.5], [0.9, 0.1]);
  const student = logitsOf([0.25, 0.75], [0.9, 0.1]);

  it('is the mean over examples of Σ p ln (p / q), with the teacher as p', () => {
    const first = 0.5 * ln(0.5 / 0.25) + 0.5 * ln(0.5 / 0.75);
    expect(klDivergence(teacher, student, 2)).to.be.closeTo(first / 2, 1e-6);
    const reversed = 0.25 * ln(0.25 / 0.5) + 0.75 * ln(0.75 / 0.5);
    expect(klDivergence(student, teacher, 2)).to.be.closeTo(reversed / 2, 1e-6);
  });

  it('compares the distributions at the temperature', () => {
    // At temperature 2 the student's (1/4, 3/4) becomes (1, √3) / (1 + √3).
    const q = 1 / (1 + Math.sqrt(3));
    const first = 0.5 * ln(0.5 / q) + 0.5 * ln(0.5 / (1 - q));
    expect(klDivergence(teacher, student, 2, 2)).to.be.closeTo(first / 2, 1e-6);
  });

  it('is finite where the student gives no probability, and ignores where the teacher gives none', () => {
    const sure = Float32Array.of(0, -1e4);
    expect(klDivergence(Float32Array.of(0, 0), sure, 2)).to.be.closeTo(5000 - ln(2), 1e-3);
    expect(klDivergence(sure, Float32Array.of(0, 0), 2)).to.be.closeTo(ln(2), 1e-12);
  });
});

describe('meanByClass', () => {
  it('averages the rows of each true class', () => {
    const scores = Float64Array.of(0.2, 0.8, 0.4, 0.6, 1, 0);
    const [first, second] = meanByClass(scores, [1, 1, 0], 2);
    expect(first).to.deep.equal([1, 0]);
    expect(second![0]).to.be.closeTo(0.3, 1e-12);
    expect(second![1]).to.be.closeTo(0.7, 1e-12);
  });
});

describe('tellingExamples', () => {
  it('are the surest and the least sure that are right, then those that are wrong', () => {
    const confidences = [0.5, 0.9, 0.7, 0.6, 0.95, 0.8];
    expect(tellingExamples(confidences, [true, true, true, false, false, false])).to.deep.equal([1, 0, 4, 3]);
  });

  it('are fewer where a group has one or none', () => {
    expect(tellingExamples([0.5, 0.6], [true, true])).to.deep.equal([1, 0]);
    expect(tellingExamples([0.5], [false])).to.deep.equal([0]);
  });
});

describe('analyze', () => {
  const logits = logitsOf([0.7, 0.2, 0.1], [0.3, 0.6, 0.1], [0.3, 0.3, 0.4]);
  const labels = [0, 0, 2];

  it('takes accuracy, loss and calibration at temperature 1, and the scores at the given one', () => {
    const { figures, scores, confidences, predicted } = analyze({ logits, labels, classes: 3 }, 2);
    expect([...predicted]).to.deep.equal([0, 1, 2]);
    expect(figures.accuracy).to.equal(2 / 3);
    expect(figures.loss).to.be.closeTo(-(ln(0.7) + ln(0.3) + ln(0.4)) / 3, 1e-6);
    [0.7, 0.6, 0.4].forEach((p, i) => expect(confidences[i]).to.be.closeTo(p, 1e-6));
    // Three bins: right at 0.7 and 0.4, wrong at 0.6.
    expect(figures.calibration_error).to.be.closeTo((0.3 + 0.6 + 0.6) / 3, 1e-6);
    const roots = [0.7, 0.2, 0.1].map(Math.sqrt);
    expect(scores[0]).to.be.closeTo(roots[0]! / (roots[0]! + roots[1]! + roots[2]!), 1e-6);
    expect(figures.loss_split.wrong.mean).to.be.closeTo(-ln(0.3), 1e-6);
    expect(figures.teacher).to.equal(undefined);
  });

  it('compares with a teacher where there is one', () => {
    const teacherLogits = logitsOf([0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.3, 0.4, 0.3]);
    const { teacher } = analyze({ logits, labels, classes: 3 }, 1, teacherLogits).figures;
    expect(teacher!.accuracy).to.equal(2 / 3);
    expect(teacher!.agreement).to.equal(1 / 3);
    const second = 0.6 * ln(0.6 / 0.3) + 0.3 * ln(0.3 / 0.6);
    const third = 0.4 * ln(0.4 / 0.3) + 0.3 * ln(0.3 / 0.4);
    expect(teacher!.kl_divergence).to.be.closeTo((second + third) / 3, 1e-6);
  });
});

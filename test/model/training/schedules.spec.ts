/** Learning rates by epoch, against torch.optim.lr_scheduler (test/fixtures/make_schedules.py). */
import { expect } from 'chai';
import { learningRate, schedules, type Progress, type Schedule } from '../../../model/training/schedules';
import oracle from '../../fixtures/schedules.json';

const { base, epochs } = oracle;

/** The rates of all epochs; the metrics are those of loss and of accuracy, of which a schedule takes one. */
function rates(schedule: Schedule, metrics: readonly number[] = Array<number>(epochs).fill(1)): number[] {
  const history: Progress['history'] = metrics.map((value) => {
    const other = 1 / (1 + value);
    const isLoss = schedule.type === 'plateau' && schedule.metric === 'loss';
    return { val: isLoss ? { loss: value, accuracy: other } : { loss: other, accuracy: value } };
  });
  return metrics.map((_, i) => learningRate(schedule, base, { epoch: i + 1, epochs, history: history.slice(0, i) }));
}

describe('schedules agree with PyTorch', () => {
  for (const { schedule, rates: expected, metrics } of oracle.cases) {
    it(JSON.stringify(schedule), () => {
      const found = rates(schedule as Schedule, metrics);
      expected.forEach((rate, i) => expect(found[i], `epoch ${i + 1}`).to.be.closeTo(rate, 1e-9 * base));
    });
  }

  it('are all there', () => {
    expect(new Set(oracle.cases.map(({ schedule }) => schedule.type))).to.deep.equal(new Set(Object.keys(schedules)));
  });
});

describe('a plateau', () => {
  const schedule: Schedule = {
    type: 'plateau',
    metric: 'loss',
    factor: 0.5,
    patience: 1,
    threshold: 0,
    min_learning_rate: 0,
  };

  it('counts what is not finite as no better, before and after it went through JSON', () => {
    const metrics = [NaN, 3, Infinity, NaN, 2, 2, 2, 2];
    const expected = [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25].map((factor) => base * factor);
    expect(rates(schedule, metrics)).to.deep.equal(expected);
    const restored = JSON.parse(JSON.stringify(metrics)) as number[];
    expect(rates(schedule, restored)).to.deep.equal(expected);
  });
});

describe('a warm-up', () => {
  it('may be longer than the run', () => {
    const schedule: Schedule = { type: 'cosine', warmup_epochs: 3, min_learning_rate: 0 };
    const found = [1, 2, 3].map((epoch) => learningRate(schedule, 0.4, { epoch, epochs: 3, history: [] }));
    [0.1, 0.2, 0.3].forEach((rate, i) => expect(found[i]).to.be.closeTo(rate, 1e-12));
  });
});

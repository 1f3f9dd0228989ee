import { expect } from 'chai';
import { learningCurve } from '../../../model/experiment/announce';
import type { EpochRecord } from '../../../runs/metrics';

describe('the learning curve', () => {
  const epochOf = (accuracy: number, i: number): EpochRecord => ({
    epoch: i + 1,
    learning_rate: 0.1,
    train: {},
    val: { accuracy, loss: 1 },
  });

  it('shows the validation accuracy from the first to the last epoch, and how to compare the run', () => {
    const history = [0.1, 0.5, 0.8].map(epochOf);
    expect(learningCurve('experiments/a/b', history)).to.equal(
      'Validation accuracy 0.100 ▁▅█ 0.800\n' +
        'Results are in experiments/a/b; compare runs with: npx ts-node synthesize_results.ts --parent_dir experiments/a\n',
    );
  });
});

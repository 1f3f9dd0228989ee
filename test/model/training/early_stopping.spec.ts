import { expect } from 'chai';
import { isStopped } from '../../../model/training/early_stopping';

const history = (accuracies: readonly number[]) => accuracies.map((accuracy) => ({ val: { accuracy, loss: 0 } }));
/** The number of epochs after which a run stops. */
function stopsAfter(accuracies: readonly number[], patience: number, min_delta = 0): number | undefined {
  const epochs = accuracies.map((_, i) => i + 1);
  return epochs.find((epoch) => isStopped(history(accuracies.slice(0, epoch)), { patience, min_delta }));
}

describe('isStopped', () => {
  it('waits for so many epochs in a row without a better accuracy', () => {
    expect(stopsAfter([0.5, 0.6, 0.6, 0.5, 0.7, 0.7, 0.6, 0.7], 3)).to.equal(8);
    expect(stopsAfter([0.5, 0.6, 0.6, 0.5, 0.7, 0.7, 0.6, 0.7], 2)).to.equal(4);
    expect(stopsAfter([0.5, 0.6, 0.6], 1)).to.equal(3);
    expect(stopsAfter([0.5, 0.6, 0.7, 0.8], 1)).to.equal(undefined);
    expect(stopsAfter([], 1)).to.equal(undefined);
  });

  it('counts as better what is so by more than min_delta over the best', () => {
    expect(stopsAfter([0.5, 0.625, 0.75, 0.875], 2, 0.125)).to.equal(undefined);
    expect(stopsAfter([0.5, 0.625, 0.625, 0.875], 2, 0.125)).to.equal(3);
  });

  it('stays stopped whatever follows, also where accuracies are no numbers', () => {
    expect(isStopped(history([0.5, 0.4, 0.9]), { patience: 1, min_delta: 0 })).to.equal(true);
    expect(stopsAfter([NaN, NaN, NaN], 3)).to.equal(3);
  });
});

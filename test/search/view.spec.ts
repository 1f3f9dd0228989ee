import { expect } from 'chai';
import { viewLines } from '../../search/view';

const run = { label: 'alpha_0.5', epochs: 1, plannedEpochs: 4, seconds: 30, value: 0.4125 };
const snapshot = {
  running: [run, { label: 'alpha_0.25', epochs: 0, plannedEpochs: 4, seconds: 2, value: NaN }],
  counts: { complete: 3, pruned: 1, failed: 0, running: 2 },
  total: 10,
  best: { name: 'alpha_0.9', value: 0.51 },
  secondsLeft: 3700,
};

describe('the view of a search', () => {
  it('has a line for all and one for each trial', () => {
    const [all, first, second, ...rest] = viewLines(snapshot, 'val_accuracy', 110);
    expect(all).to.equal('4/10 trials, 2 running, 1 pruned, best val_accuracy 0.5100 of alpha_0.9, about 1:01:40 left');
    expect(first).to.match(/^alpha_0\.5 {3}25%\|█{10} {30}\| 1\/4 \[00:30<01:30, val_accuracy=0\.4\d\d\]$/);
    expect(second).to.match(/^alpha_0\.25 {3}0%\| {40}\| 0\/4 \[00:02<\?\]$/);
    expect(rest).to.deep.equal([]);
  });

  it('fits a narrow terminal', () => {
    for (const line of viewLines(snapshot, 'val_accuracy', 40)) expect(line).to.have.lengthOf.at.most(39);
  });
});

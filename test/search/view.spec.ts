import { PassThrough } from 'node:stream';
import { expect } from 'chai';
import { openView, viewLines } from '../../search/view';
import { screenOf } from '../helpers/screen';

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
    const [all, first, second, ...rest] = viewLines(snapshot, 'val_accuracy', 110, 3);
    expect(all).to.equal('4/10 trials, 2 running, 1 pruned, best val_accuracy 0.5100 of alpha_0.9, about 1:01:40 left');
    expect(first).to.match(/^alpha_0\.5 {3}25%\|█{10} {30}\| 1\/4 \[00:30<01:30, val_accuracy=0\.4\d\d\]$/);
    expect(second).to.match(/^alpha_0\.25 {3}0%\| {40}\| 0\/4 \[00:02<\?\]$/);
    expect(rest).to.deep.equal([]);
    expect(viewLines({ ...snapshot, elsewhere: 3 }, 'val_accuracy', 110, 1)[0]).to.match(
      /, 2 running, 3 in use elsewhere, /,
    );
  });

  it('says why a trial does not run', () => {
    const running = [{ ...run, waiting: 'pending (Resources)' }, { ...run, epochs: 0, waiting: 'suspended' }, run];
    const counts = { ...snapshot.counts, running: 3 };
    const [all, pending, suspended] = viewLines({ ...snapshot, running, counts }, 'val_accuracy', 110, 4);
    expect(all).to.match(/^4\/10 trials, 1 running, 2 waiting, /);
    expect(pending).to.equal('alpha_0.5 1/4, pending (Resources)');
    expect(suspended).to.equal('alpha_0.5 suspended');
  });

  it('fits a narrow terminal', () => {
    const label = 'alpha_0.5_learning_rate_0.001_temperature_4.5';
    const running = [{ ...run, label }, ...snapshot.running.slice(1)];
    const lines = viewLines({ ...snapshot, running }, 'val_accuracy', 40, 3);
    for (const line of lines) expect(line).to.have.lengthOf.at.most(39);
    expect(lines.slice(1)).to.deep.equal(['alpha_…e_4.5  25% 1/4 <01:30 0.412', 'alpha_0.25     0% 0/4 [00:02<?]']);
    expect(viewLines({ ...snapshot, running }, 'val_accuracy', 80, 3)[1]).to.equal(`${label}  25% 1/4 <01:30 0.412`);
  });

  it('fits a low terminal', () => {
    const running = Array.from({ length: 9 }, () => run);
    const lines = (height: number) => viewLines({ ...snapshot, running }, 'val_accuracy', 80, height);
    expect(lines(10)).to.have.lengthOf(10);
    expect(lines(5).map((line) => line.slice(0, 9))).to.deep.equal([
      '4/10 tria',
      'alpha_0.5',
      'alpha_0.5',
      'alpha_0.5',
      'and 6 mor',
    ]);
    expect(lines(2).slice(1)).to.deep.equal(['and 9 more']);
    expect(lines(1)).to.have.lengthOf(1);
  });

  it('keeps what it announces above the lines that change, and is silent where there is no terminal', () => {
    const open = (isTTY: boolean) => {
      const stream = Object.assign(new PassThrough({ encoding: 'utf8' }), { isTTY, columns: 80, rows: 24 });
      return { stream, view: openView(2, 'val_accuracy', stream as unknown as typeof process.stderr) };
    };
    const { stream, view } = open(true);
    view.show(snapshot);
    view.announce!('Saving');
    view.stop();
    const text = stream.read() as string;
    const [before, after] = [text.slice(0, text.lastIndexOf('\r')), text];
    expect(screenOf(before).map((line) => line.slice(0, 9))).to.deep.equal([
      'Saving',
      '4/10 tria',
      'alpha_0.5',
      'alpha_0.2',
    ]);
    expect(screenOf(after)).to.deep.equal(['Saving']);
    const piped = open(false);
    piped.view.show(snapshot);
    piped.view.stop();
    expect(piped.view.announce).to.equal(undefined);
    expect(piped.stream.read()).to.equal(null);
  });
});

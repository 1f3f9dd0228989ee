/** Trials whose results the journal has, and whose directories somebody has deleted. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { countOf, makeSearch, runSearch, statesIn } from '../../helpers/searching';

describe('a trial whose directory was deleted', function () {
  this.timeout(20_000);
  const directories: string[] = [];
  after(() => directories.forEach((directory) => rmSync(directory, { recursive: true })));
  const prepare: typeof makeSearch = (...args) => {
    const directory = makeSearch(...args);
    directories.push(directory);
    return directory;
  };

  it('is trained again, and is not called the best in the meantime', async () => {
    const directory = prepare({ space: { alpha: [0.1, 0.9] }, n_jobs: 1 });
    const child = join(directory, 'alpha_0.9');
    expect((await runSearch(directory)).snapshots.at(-1)!.best!.name).to.equal('alpha_0.9');
    rmSync(child, { recursive: true });
    const { lines, snapshots } = await runSearch(directory);
    expect(lines[0]).to.equal(`${child}: its results are missing; the trial runs again`);
    expect(snapshots[0]!.best!.name).to.equal('alpha_0.1');
    expect(snapshots.at(-1)!.best!.name).to.equal('alpha_0.9');
    expect([countOf('ends', child), countOf('ends', directory, 'alpha_0.1')]).to.deep.equal([1, 1]);
    expect(Object.values(statesIn(directory))).to.deep.equal(['complete', 'complete']);
    expect((await runSearch(directory)).lines).to.deep.equal([]);
  });

  it('is trained again where others were still under way', async () => {
    const directory = prepare({ space: { alpha: [0.9, 0.1] }, n_jobs: 1 }, { num_epochs: 2, epoch_ms: 200 });
    const child = join(directory, 'alpha_0.9');
    let wasRemoved = false;
    const { error, snapshots } = await runSearch(directory, ({ counts, running }) => {
      if (!wasRemoved && counts.complete === 1 && running.length === 1) {
        rmSync(child, { recursive: true });
        wasRemoved = true;
      }
      return false;
    });
    expect(error).to.equal(undefined);
    expect(wasRemoved).to.equal(true);
    expect(countOf('ends', child)).to.equal(1);
    expect(snapshots.at(-1)!.best!.name).to.equal('alpha_0.9');
    expect(Object.values(statesIn(directory))).to.deep.equal(['complete', 'complete']);
  });

  it('is trained again from the repeat that is gone', async () => {
    const directory = prepare({ space: { alpha: [0.5] }, repeats: 3 });
    const child = join(directory, 'alpha_0.5');
    const before = (await runSearch(directory)).snapshots.at(-1)!.best;
    rmSync(join(child, 'repeat_1'), { recursive: true });
    const { snapshots } = await runSearch(directory);
    expect(snapshots[0]!.best).to.equal(undefined);
    expect(snapshots.at(-1)!.best).to.deep.equal(before);
    const ends = ['', 'repeat_1', 'repeat_2'].map((repeat) => countOf('ends', child, repeat));
    expect(ends).to.deep.equal([1, 1, 1]);
  });

  it('stays pruned where it was', async () => {
    const directory = prepare({ space: { alpha: [0.9], behavior: ['good', 'diverge'] }, n_jobs: 1 });
    await runSearch(directory);
    rmSync(join(directory, 'alpha_0.9_behavior_diverge'), { recursive: true });
    expect((await runSearch(directory)).lines).to.deep.equal([]);
    expect(Object.values(statesIn(directory))).to.deep.equal(['complete', 'pruned']);
  });
});

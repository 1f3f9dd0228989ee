/** Tests search/search_state.ts. What a search says at its end, and its exit code, where trials come to nothing. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { readJournal } from '../../search/journal';
import { failuresOf } from '../../search/trials/failures';
import type { Trial } from '../../search/trials/trials';
import { countOf, ended, makeSearch, runSearch, startSearch, statesIn } from '../helpers/searching';
import { snapshot } from '../helpers/train';

const directories: string[] = [];
const prepare: typeof makeSearch = (...args) => {
  const directory = makeSearch(...args);
  directories.push(directory);
  return directory;
};

describe('the end of a search', function () {
  this.timeout(60_000);
  after(() => directories.splice(0).forEach((directory) => rmSync(directory, { recursive: true })));
  const run = async (directory: string, environment: NodeJS.ProcessEnv = process.env) => {
    const { exitCode, stdout, stderr } = await ended(startSearch(['--parent_dir', directory], environment));
    return {
      exitCode,
      stdout: stdout.replaceAll(directory, 'DIR').split('\n'),
      stderr: stderr.replace(directory, 'DIR'),
    };
  };

  it('is exit code 1 and a line where all have failed, and the next start does not call them done', async () => {
    const directory = prepare({ space: { behavior: ['fail'], alpha: [0.1, 0.2] }, retries: 0, n_jobs: 2 });
    const first = await run(directory);
    expect([first.exitCode, first.stderr]).to.deep.equal([
      1,
      'error: DIR: no trial completed: 2 failed, most often (2 of 2): error: the last word\n',
    ]);
    expect(first.stdout[0]).to.match(/: 0 of 2 trials done$/);
    const second = await run(directory);
    expect([second.exitCode, second.stdout[0]]).to.deep.equal([
      1,
      'Searching with grid, 2 at a time: 0 of 2 trials done, 2 that failed before are tried again',
    ]);
    expect(second.stdout.filter((line) => line.startsWith('[')).map((line) => line.slice(0, 5))).to.deep.equal([
      '[1/2]',
      '[2/2]',
    ]);
  });

  it('counts those that came to nothing, after the best', async () => {
    const space = { behavior: ['good', 'fail', 'diverge'] };
    const directory = prepare({ space, retries: 0, n_jobs: 3 }, { num_epochs: 2 });
    const { exitCode, stdout, stderr } = await run(directory);
    expect([exitCode, stderr]).to.deep.equal([0, '']);
    expect(stdout.at(-3)).to.equal('Best val_accuracy: 0.5000 of DIR/behavior_good');
    expect(stdout.at(-2)).to.match(/^Of 3 trials 1 failed, 1 diverged, most often \(1 of 2\): /);
  });

  it('is exit code 1 where all have diverged', async () => {
    const directory = prepare({ space: { behavior: ['diverge'] } }, { num_epochs: 2 });
    const { exitCode, stderr } = await run(directory);
    expect([exitCode, stderr]).to.deep.equal([
      1,
      'error: DIR: no trial completed: 1 diverged, most often (1 of 1): epoch 2: the loss is NaN\n',
    ]);
  });

  it('is exit code 1 where no trial has the metric', async () => {
    const directory = prepare({ space: { alpha: [0.5] }, metric: 'val_acuracy' }, { num_epochs: 1 });
    const { exitCode, stderr } = await run(directory);
    expect([exitCode, stderr]).to.deep.equal([1, 'error: DIR: no trial has a val_acuracy in its metrics.jsonl\n']);
  });

  it('comes before anything is written where there is no launcher', async () => {
    const directory = prepare({ space: { alpha: [0.5] }, launcher: 'slurm' });
    const before = snapshot(directory);
    const { exitCode, stderr } = await run(directory, { ...process.env, PATH: directory });
    expect([exitCode, stderr]).to.deep.equal([
      1,
      'error: sbatch: not found; "launcher": "slurm" needs Slurm\'s commands\n',
    ]);
    expect(snapshot(directory)).to.deep.equal(before);
  });
});

describe('failuresOf', () => {
  const trial = (name: string, state: 'failed' | 'pruned', reason: string): Trial => {
    return { name, number: 0, params: {}, values: [], epochs: 1, early: { state, value: NaN, reason } };
  };

  it('takes reasons for one that differ in numbers and in the names of trials', () => {
    const trials = [
      trial('alpha_0.5', 'failed', 'exit code 1'),
      trial('alpha_0.1', 'failed', '/s/alpha_0.1/launcher.log: cannot be written: ENOSPC'),
      trial('alpha_0.2', 'failed', '/s/alpha_0.2/launcher.log: cannot be written: ENOSPC'),
      trial('alpha_0.3', 'pruned', 'epoch 3: the loss is NaN'),
      trial('alpha_0.4', 'pruned', ''),
    ];
    expect(failuresOf(trials)).to.equal(
      '3 failed, 1 diverged, most often (2 of 4): /s/alpha_0.1/launcher.log: cannot be written: ENOSPC',
    );
    expect(failuresOf(trials.slice(3))).to.equal('1 diverged, most often (1 of 1): epoch 3: the loss is NaN');
    expect(failuresOf(trials.slice(4))).to.equal(undefined);
  });
});

describe('a trial whose directory is a link', function () {
  this.timeout(20_000);
  let outside: string;
  beforeEach(() => directories.push((outside = mkdtempSync(join(tmpdir(), 'outside-')))));
  after(() => directories.splice(0).forEach((directory) => rmSync(directory, { recursive: true })));
  const reasonIn = (directory: string) =>
    readJournal(join(directory, 'search.journal.jsonl')).flatMap((event) =>
      event.event === 'failed' ? [event.reason] : [],
    );
  const refusal = (child: string) =>
    `${child}: is a link to ${outside}; trials are trained only inside the directory of the search`;

  it('is refused, and nothing is trained there', async () => {
    const directory = prepare({ space: { alpha: [0.1, 0.2] }, n_jobs: 2 });
    symlinkSync(outside, join(directory, 'alpha_0.1'));
    await runSearch(directory);
    expect(statesIn(directory)).to.deep.equal({ 'alpha_0.1': 'failed', 'alpha_0.2': 'complete' });
    expect(reasonIn(directory)).to.deep.equal([refusal(join(directory, 'alpha_0.1'))]);
    expect(readdirSync(outside)).to.deep.equal([]);
  });

  it('is refused for a repeat', async () => {
    const directory = prepare({ space: { alpha: [0.1] }, repeats: 2 });
    mkdirSync(join(directory, 'alpha_0.1'));
    symlinkSync(outside, join(directory, 'alpha_0.1', 'repeat_1'));
    await runSearch(directory);
    expect(reasonIn(directory)).to.deep.equal([refusal(join(directory, 'alpha_0.1', 'repeat_1'))]);
    expect(readdirSync(outside)).to.deep.equal([]);
  });

  it('is refused where it became one while it was trained', async () => {
    const directory = prepare({ space: { alpha: [0.1] } }, { num_epochs: 100, epoch_ms: 50 });
    const child = join(directory, 'alpha_0.1');
    const moved = join(outside, 'moved');
    await runSearch(directory, ({ running }) => {
      if (running[0]?.epochs === 1 && !existsSync(moved)) {
        renameSync(child, moved);
        symlinkSync(moved, child);
      }
      return false;
    });
    expect(reasonIn(directory)).to.deep.equal([refusal(child).replace(outside, moved)]);
    expect(countOf('ends', moved)).to.equal(0);
  });
});

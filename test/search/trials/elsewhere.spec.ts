/** Trials whose directories are in use by what the search cannot end: on other machines, or of another user. */
import { existsSync, mkdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { acquireLock, lockState, SILENCE_SECONDS } from '../../../runs/lock';
import { readJournal } from '../../../search/journal';
import { countOf, makeSearch, runSearch, statesIn } from '../../helpers/searching';

const since = '2024-05-01T10:00:00.000Z';
const owner = { pid: 12, host: 'node7', started: null, since };
/** Of a machine that gives signs of life, and of a version that gave none. */
const locks = { beating: { ...owner, boot: 'another', pids: 'pid:[1]', heartbeat: 10 }, old: owner };

describe('a trial in use elsewhere', function () {
  this.timeout(20_000);
  const directories: string[] = [];
  after(() => directories.forEach((directory) => rmSync(directory, { recursive: true })));
  const prepare: typeof makeSearch = (...args) => {
    const directory = makeSearch(...args);
    directories.push(directory);
    return directory;
  };
  const lock = (child: string, kind: keyof typeof locks) => {
    mkdirSync(child, { recursive: true });
    writeFileSync(join(child, '.lock'), JSON.stringify(locks[kind]));
  };
  const silence = (child: string) => {
    const then = Date.now() / 1000 - SILENCE_SECONDS - 1;
    utimesSync(join(child, '.lock'), then, then);
  };
  const finish = (child: string) => {
    const score = { accuracy: 0.7, loss: 1, epoch: 1 };
    writeFileSync(join(child, 'metrics.jsonl'), `${JSON.stringify({ epoch: 1, val: score })}\n`);
    writeFileSync(join(child, 'metrics_val_best_weights.json'), JSON.stringify(score));
    writeFileSync(join(child, 'metrics_test_best_weights.json'), JSON.stringify(score));
    rmSync(join(child, '.lock'));
  };

  it('comes after the others, and goes on when its machine is done or silent', async () => {
    const directory = prepare({ space: { alpha: [0.1, 0.2, 0.3, 0.4] }, n_jobs: 2, trial_timeout: '1h' });
    const [silent, done] = [join(directory, 'alpha_0.1'), join(directory, 'alpha_0.2')];
    lock(silent, 'beating');
    lock(done, 'beating');
    let most = 0;
    const { error, lines } = await runSearch(directory, ({ counts, elsewhere = 0 }) => {
      most = Math.max(most, elsewhere);
      if (counts.complete === 2 && existsSync(join(done, '.lock'))) {
        expect([lockState(silent), countOf('starts', silent)]).to.deep.equal(['held', 0]);
        silence(silent);
        finish(done);
      }
      return false;
    });
    expect(error).to.equal(undefined);
    expect(most).to.equal(2);
    expect(Object.values(statesIn(directory))).to.deep.equal(Array(4).fill('complete'));
    expect([countOf('starts', silent), countOf('starts', done)]).to.deep.equal([1, 0]);
    const left = lines.filter((line) => line.startsWith('Postponed: '));
    expect(left).to.have.lengthOf(2);
    expect(left[0])
      .to.include(`${silent}: in use by process 12 on node7 (started ${since})`)
      .and.include(join(silent, '.lock'));
    const waiting = lines.filter((line) => line.startsWith('Waiting for '));
    expect(waiting).to.have.lengthOf(1);
    expect(waiting[0]).to.match(
      /^Waiting for alpha_0\.1, alpha_0\.2, which other processes are training: .* no heartbeat for 120 s$/,
    );
  });

  it('fails after the timeout, with who has it', async () => {
    const directory = prepare({ space: { alpha: [0.1, 0.2] }, n_jobs: 1, trial_timeout: '4s' }, { epoch_ms: 10 });
    const child = join(directory, 'alpha_0.1');
    lock(child, 'old');
    const { error } = await runSearch(directory);
    expect(error).to.equal(undefined);
    expect(statesIn(directory)).to.deep.equal({ 'alpha_0.1': 'failed', 'alpha_0.2': 'complete' });
    const failure = readJournal(join(directory, 'search.journal.jsonl')).find(({ event }) => event === 'failed');
    expect(failure).to.have.property(
      'reason',
      `timeout after 4 s, in use by process 12 on node7 (started ${since}); ` +
        `if that process is gone, delete ${join(child, '.lock')}`,
    );
    expect(existsSync(join(child, '.lock'))).to.equal(true);
  });

  it('does not keep an interrupted search waiting', async () => {
    const directory = prepare({ space: { alpha: [0.1] } });
    lock(join(directory, 'alpha_0.1'), 'beating');
    const { error, lines } = await runSearch(directory, ({ elsewhere }) => elsewhere === 1);
    expect(error).to.equal(undefined);
    expect(lines.join('\n')).to.include('process 12 on node7');
    expect(statesIn(directory)).to.deep.equal({ 'alpha_0.1': 'running' });
    expect(lockState(join(directory, 'alpha_0.1'))).to.equal('held');
  });

  it('may belong to another user of this machine', async () => {
    const directory = prepare({ space: { alpha: [0.1, 0.2] }, n_jobs: 1 });
    const child = join(directory, 'alpha_0.1');
    mkdirSync(child);
    const held = acquireLock(child);
    const kill = Object.getOwnPropertyDescriptor(process, 'kill')!;
    const refuse = () => {
      throw Object.assign(new Error('kill EPERM'), { code: 'EPERM', syscall: 'kill' });
    };
    Object.defineProperty(process, 'kill', { ...kill, value: refuse });
    try {
      const { error } = await runSearch(directory, ({ elsewhere, counts }) => elsewhere === 1 && counts.complete === 1);
      expect(error).to.equal(undefined);
      expect(statesIn(directory)).to.deep.equal({ 'alpha_0.1': 'running', 'alpha_0.2': 'complete' });
    } finally {
      Object.defineProperty(process, 'kill', kill);
      held.release();
    }
  });

  it('fails where its lock can no longer be read', async () => {
    const directory = prepare({ space: { alpha: [0.1, 0.2] }, n_jobs: 1 });
    const child = join(directory, 'alpha_0.1');
    lock(child, 'beating');
    const { error } = await runSearch(directory, ({ counts }) => {
      if (counts.complete === 1) {
        rmSync(join(child, '.lock'), { recursive: true, force: true });
        mkdirSync(join(child, '.lock'));
      }
      return false;
    });
    expect(error).to.equal(undefined);
    expect(statesIn(directory)).to.deep.equal({ 'alpha_0.1': 'failed', 'alpha_0.2': 'complete' });
  });
});

/** Tests search/. A search whose disk fails, fills up, or whose process is killed, at any operation on its directory. */
import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { acquireLock } from '../../runs/lock';
import { Journal, readJournal } from '../../search/journal';
import type { Launcher } from '../../search/launchers/launcher';
import { Search } from '../../search/scheduler';
import { readSettings } from '../../search/settings/settings';
import { UserError } from '../../utils/errors';
import { openLog } from '../../utils/logger';
import { faults, inject, soundly, type FaultName } from '../helpers/faults';
import { childrenOf, countOf, statesIn } from '../helpers/searching';
import { abandonLock } from '../helpers/train_here';

const alphas = [0.1, 0.2, 0.3, 0.4];
const names = alphas.map((alpha) => `alpha_${alpha}`);

/** Children that do their work at once; the faults are those of the search, not theirs. */
function launcherOf(work: (directory: string) => void): Launcher {
  return {
    launch(directory) {
      soundly(() => work(directory));
      return Promise.resolve({
        ended: Promise.resolve({ how: 'exit code 0' }),
        status: () => ({ seconds: 0 }),
        signal: () => {},
      });
    },
    resume: () => Promise.resolve(undefined),
  };
}

function finish(directory: string): void {
  const score = { accuracy: 0.5, loss: 1, epoch: 1 };
  appendFileSync(join(directory, 'ends.txt'), 'x\n');
  writeFileSync(join(directory, 'metrics.jsonl'), `${JSON.stringify({ epoch: 1, val: score })}\n`);
  writeFileSync(join(directory, 'metrics_val_best_weights.json'), JSON.stringify(score));
  writeFileSync(join(directory, 'metrics_test_best_weights.json'), JSON.stringify(score));
}

/** What search_hyperparams.ts does, in this process. */
async function searchHere(directory: string, launcher = launcherOf(finish)): Promise<void> {
  const settings = readSettings(join(directory, 'search.json'));
  const lock = acquireLock(directory);
  try {
    const path = join(directory, 'search.journal.jsonl');
    const events = readJournal(path);
    const journal = new Journal(path);
    if (events.length === 0) journal.append({ event: 'search', settings, params: {} });
    await new Search({
      directory,
      params: { num_epochs: 1 },
      settings,
      parallel: 2,
      events,
      append: (event) => journal.append(event),
      launcher,
      log: openLog(join(directory, 'search_hyperparameters.log'), () => {}),
      interrupt: { requested: false, exitCode: 130 },
      show: () => {},
      resolve: (given) => given,
      pollMs: 1000,
      graceMs: 100,
    }).run();
  } finally {
    lock.release();
  }
}

describe('a search in a directory that fails', function () {
  this.timeout(120_000);
  const scratch = mkdtempSync(join(tmpdir(), 'search-faults-'));
  after(() => rmSync(scratch, { recursive: true }));

  function prepare(): string {
    const directory = mkdtempSync(join(scratch, 'search-'));
    writeFileSync(join(directory, 'search.json'), JSON.stringify({ space: { alpha: alphas }, retries: 0 }));
    return directory;
  }

  const attempt = async (...args: Parameters<typeof searchHere>): Promise<unknown> => {
    try {
      await searchHere(...args);
      return undefined;
    } catch (error) {
      return error;
    }
  };

  /** All trials are there, once, and nothing else is. */
  function expectAll(directory: string, what: string): void {
    expect(statesIn(directory), what).to.deep.equal(Object.fromEntries(names.map((name) => [name, 'complete'])));
    expect(childrenOf(directory), what).to.deep.equal(names);
    for (const name of names) expect(countOf('ends', directory, name), what).to.equal(1);
    const events = readJournal(join(directory, 'search.journal.jsonl'));
    for (const kind of ['proposed', 'finished']) {
      const names = events.flatMap((event) => (event.event === kind && 'name' in event ? [event.name] : []));
      expect(names.sort(), `${what}, ${kind}`).to.deep.equal(names);
    }
    expect(
      events.filter(({ event }) => event === 'search'),
      what,
    ).to.have.lengthOf(1);
    const others = readdirSync(directory).filter((name) => !names.includes(name));
    expect(others.sort(), what).to.deep.equal(['search.journal.jsonl', 'search.json', 'search_hyperparameters.log']);
    const lines = readFileSync(join(directory, 'search_hyperparameters.log'), 'utf8').split('\n');
    expect(lines.at(-1)).to.equal('');
  }

  let operations: readonly string[];
  before(async () => {
    const directory = prepare();
    const faulty = inject(directory);
    await searchHere(directory).finally(faulty.restore);
    ({ operations } = faulty);
    expectAll(directory, 'undisturbed');
  });

  for (const [i, name] of (Object.keys(faults) as FaultName[]).entries()) {
    it(`loses no trial and does none twice: ${name}`, async () => {
      const stride = process.env.SOAK ? 1 : Object.keys(faults).length;
      for (let at = i % stride; at < operations.length; at += stride) {
        const what = `${name} at ${at}: ${operations[at]}`;
        const directory = prepare();
        const faulty = inject(directory, at, name);
        const error = await attempt(directory);
        faulty.restore();
        if (!name.startsWith('killed') && error !== undefined) {
          expect(error, what).to.be.instanceOf(UserError);
          const { message } = error as UserError;
          expect(message, what).to.match(/^[^\n]*(: cannot be (written|locked): E| trials? failed, )[^\n]*$/);
        }
        if (existsSync(join(directory, '.lock'))) abandonLock(directory);
        expect(await attempt(directory), what).to.equal(undefined);
        expectAll(directory, what);
        rmSync(directory, { recursive: true });
      }
    });
  }

  it('fails a trial whose directory is taken away, with one line, and does the others', async () => {
    const directory = prepare();
    const vanishing = launcherOf((path) => (path.endsWith('0.2') ? rmSync(path, { recursive: true }) : finish(path)));
    expect(await attempt(directory, vanishing)).to.equal(undefined);
    const states = statesIn(directory);
    expect(states).to.deep.equal({
      ...Object.fromEntries(names.map((name) => [name, 'complete'])),
      'alpha_0.2': 'failed',
    });
    const log = readFileSync(join(directory, 'search_hyperparameters.log'), 'utf8');
    expect(log).to.match(/:ERROR: \[\d\/4\] alpha_0\.2: failed: its directory was removed during training \(.*\)\n/);
    expect(await attempt(directory)).to.equal(undefined);
    expect(Object.values(statesIn(directory))).to.deep.equal(names.map(() => 'complete'));
  });

  it('ends with one line where its own directory is taken away', async () => {
    const directory = prepare();
    const vanishing = launcherOf(() => rmSync(directory, { recursive: true, force: true }));
    const error = await attempt(directory, vanishing);
    expect(error).to.be.instanceOf(UserError);
    expect((error as UserError).message).to.match(/^[^\n]*: cannot be written: ENOENT: [^\n]*$/);
    expect(existsSync(directory)).to.equal(false);
  });
});

/** What a search on Ray promises: tests for any cluster of two CPUs. */
import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect } from 'chai';
import { lockState } from '../../runs/lock';
import { readJournal } from '../../search/journal';
import { childrenOf, countOf, ended, makeSearch, runSearch, startSearch, statesIn } from './searching';

/** `addressOf`: that of the cluster, once it has started. */
export function itSearchesOn(addressOf: () => string): void {
  const directories: string[] = [];
  after(() => {
    for (const directory of directories) rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
  });
  const prepare = (search: object, params: object = {}) => {
    const directory = makeSearch({ launcher: 'ray', ray: { address: addressOf() }, ...search }, params);
    directories.push(directory);
    return directory;
  };
  const start = (directory: string) => startSearch(['--parent_dir', directory]);
  const until = async (condition: () => boolean) => {
    while (!condition()) await wait(50);
  };
  const jobsIn = (directory: string) =>
    readJournal(join(directory, 'search.journal.jsonl')).flatMap((event) =>
      event.event === 'job' ? [`${event.name} ${event.job}`] : [],
    );

  it('trains every point, keeps the IDs of the jobs and a log of each start, and tells why one failed', async () => {
    const directory = prepare({ space: { behavior: ['good', 'fail', 'be_killed'] }, retries: 1 }, { num_epochs: 1 });
    const { exitCode, stdout } = await ended(start(directory));
    expect(exitCode, stdout).to.equal(0);
    expect(statesIn(directory)).to.deep.equal({
      behavior_good: 'complete',
      behavior_fail: 'failed',
      behavior_be_killed: 'complete',
    });
    expect(stdout).to.include('behavior_fail: failed: error: the last word');
    expect(stdout).to.match(/behavior_be_killed: Ray job distillery-\S+: FAILED, killed, probably out of memory/);
    const id = readFileSync(join(directory, 'behavior_good', 'ray.job'), 'utf8');
    expect(jobsIn(directory)).to.include(`behavior_good ${id}`);
    expect(new Set(jobsIn(directory))).to.have.lengthOf(5);
    const logs = readdirSync(join(directory, 'behavior_fail')).filter((name) => name.startsWith('launcher'));
    expect(logs).to.deep.equal(['launcher.1.log', 'launcher.log']);
    for (const log of logs) {
      expect(readFileSync(join(directory, 'behavior_fail', log), 'utf8')).to.include('the last word');
    }
  });

  it('waits for the job of a search that was killed', async () => {
    const directory = prepare({ space: { alpha: [0.5] } }, { num_epochs: 20, epoch_ms: 100 });
    const child = join(directory, 'alpha_0.5');
    const first = start(directory);
    const end = ended(first);
    await until(() => countOf('starts', child) === 1);
    first.kill('SIGKILL');
    await end;
    const { exitCode, stdout } = await ended(start(directory));
    expect([exitCode, stdout.includes(`Already running: ${child}\n`)]).to.deep.equal([0, true]);
    expect([countOf('starts', child), countOf('ends', child)]).to.deep.equal([1, 1]);
    expect(new Set(jobsIn(directory))).to.have.lengthOf(1);
  });

  it('saves what runs on Ctrl-C, takes back what waits, and goes on', async () => {
    const directory = prepare(
      { space: { alpha: [0.1, 0.2, 0.3] } },
      { num_epochs: 2, steps: 200, epoch_ms: 100_000, later_epoch_ms: 200 },
    );
    const search = start(directory);
    const end = ended(search);
    const started = () => childrenOf(directory).filter((name) => countOf('starts', directory, name) === 1);
    const submitted = () => childrenOf(directory).filter((name) => existsSync(join(directory, name, 'ray.job')));
    await until(() => started().length === 2 && submitted().length === 3);
    await wait(1500);
    const waited = submitted().find((name) => !started().includes(name))!;
    search.kill('SIGINT');
    const { exitCode, stderr } = await end;
    expect([exitCode, stderr]).to.deep.equal([130, '\nSaving; press Ctrl-C again to quit at once.\n']);
    for (const name of started()) {
      expect(readFileSync(join(directory, name, 'launcher.log'), 'utf8')).to.include('Saving');
      expect(existsSync(join(directory, name, 'last.safetensors')), name).to.equal(true);
    }
    // It begins once there is a place for it, and must not train.
    await wait(2000);
    expect(countOf('starts', directory, waited)).to.equal(0);
    for (const name of childrenOf(directory)) expect(lockState(join(directory, name)), name).to.equal('free');
    // The one that waited would take its time at its first start.
    appendFileSync(join(directory, waited, 'starts.txt'), '');
    const second = await ended(start(directory));
    expect(second.exitCode, second.stdout).to.equal(0);
    expect(Object.values(statesIn(directory))).to.deep.equal(Array(3).fill('complete'));
    for (const name of childrenOf(directory)) expect(countOf('ends', directory, name), name).to.equal(1);
  });

  it('comes to the results of a local search', async () => {
    const space = { alpha: [0.25, 0.5, 0.75] };
    const directory = prepare({ space }, { num_epochs: 3, steps: 10, epoch_ms: 100 });
    expect((await ended(start(directory))).exitCode).to.equal(0);
    const local = makeSearch({ space, n_jobs: 3 }, { num_epochs: 3, steps: 10, epoch_ms: 10 });
    directories.push(local);
    await runSearch(local);
    for (const name of childrenOf(local)) {
      for (const file of ['metrics.jsonl', 'metrics_val_best_weights.json', 'metrics_test_best_weights.json']) {
        const content = (parent: string) => readFileSync(join(parent, name, file), 'utf8');
        expect(content(directory), `${name}/${file}`).to.equal(content(local));
      }
    }
  });
}

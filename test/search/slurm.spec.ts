/** Trials as jobs of a real Slurm, where one is installed. */
import { expect } from 'chai';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { removeLockOf, sbatchOptions } from '../../search/launchers/slurm';
import { lockState } from '../../utils/lock';
import { countOf, ended, makeSearch, startSearch, statesIn } from '../helpers/searching';
import { hasSlurm, slurm, startSlurm } from '../helpers/slurm';

describe('what a trial asks of Slurm', () => {
  it('is what search.json says', () => {
    const settings = { partition: 'gpu', time: '4:00:00', gres: 'gpu:1', cpus: 4, memory: '8G' };
    const options = sbatchOptions('/a/100%/alpha_0.5', settings, 2);
    expect(options).to.include.members(['--partition=gpu', '--time=4:00:00', '--gres=gpu:1', '--mem=8G']);
    expect(options).to.include.members(['--job-name=alpha_0.5', '--cpus-per-task=4', '--requeue']);
    expect(options).to.include('--error=/a/100%%/alpha_0.5/launcher.log');
    expect(sbatchOptions('/a', {}, 2)).to.include('--cpus-per-task=2');
  });

  it('leaves no lock of a node behind, and those of others alone', () => {
    const directory = mkdtempSync(join(tmpdir(), 'slurm-lock-'));
    const lock = (host: string) =>
      writeFileSync(join(directory, '.lock'), JSON.stringify({ pid: process.pid, host, started: null, since: '' }));
    lock('node7.cluster');
    removeLockOf(directory, 'node8');
    expect(lockState(directory)).to.equal('held');
    removeLockOf(directory, 'node7');
    expect(lockState(directory)).to.equal('free');
    lock(hostname());
    removeLockOf(directory, hostname());
    expect(lockState(directory)).to.equal('held');
    rmSync(directory, { recursive: true });
  });
});

describe('a search on Slurm', function () {
  this.timeout(60_000);
  const directories: string[] = [];
  let stop = () => Promise.resolve();
  before(async function () {
    if (!hasSlurm) this.skip();
    const state = mkdtempSync(join(tmpdir(), 'slurm-'));
    directories.push(state);
    stop = await startSlurm(state);
  });
  after(async () => {
    await stop();
    for (const directory of directories) rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
  });
  const prepare = (search: object, params: object = {}) => {
    const directory = makeSearch({ launcher: 'slurm', ...search }, params);
    directories.push(directory);
    return directory;
  };
  const jobOf = (...path: string[]) => readFileSync(join(...path, 'slurm.job'), 'utf8');
  const until = async (condition: () => boolean) => {
    while (!condition()) await wait(50);
  };

  it('trains every point and tells why one failed', async () => {
    const directory = prepare({ space: { behaviour: ['good', 'fail'] }, retries: 0 });
    const { exitCode, stdout } = await ended(startSearch(['--parent_dir', directory]));
    expect(exitCode).to.equal(0);
    expect(statesIn(directory)).to.deep.equal({ behaviour_good: 'complete', behaviour_fail: 'failed' });
    expect(stdout).to.include('behaviour_fail: failed: error: the last word');
  });

  it('waits for the job of a search that was killed', async () => {
    const directory = prepare({ space: { alpha: [0.5] } }, { num_epochs: 20, epoch_ms: 100 });
    const child = join(directory, 'alpha_0.5');
    const first = startSearch(['--parent_dir', directory]);
    const end = ended(first);
    await until(() => countOf('starts', child) === 1);
    first.kill('SIGKILL');
    await end;
    const job = jobOf(child);
    expect((await ended(startSearch(['--parent_dir', directory]))).stdout).to.include(`Already running: ${child}\n`);
    expect([jobOf(child), countOf('starts', child), countOf('ends', child)]).to.deep.equal([job, 1, 1]);
  });

  it('saves and cancels on Ctrl-C, what runs and what waits, and goes on', async () => {
    // The second job asks for all CPUs and waits for the first.
    const cpus = Number(slurm('sinfo', '-h', '-o', '%c'));
    const directory = prepare({ space: { alpha: [0.1, 0.2] }, slurm: { cpus } }, { num_epochs: 30, epoch_ms: 100 });
    const search = startSearch(['--parent_dir', directory]);
    const end = ended(search);
    await until(() => slurm('squeue', '-h', '-o', '%T').split('\n').sort().join() === 'PENDING,RUNNING');
    await until(() => countOf('starts', directory, 'alpha_0.1') === 1);
    search.kill('SIGINT');
    const { exitCode, stderr } = await end;
    expect([exitCode, stderr]).to.deep.equal([130, '\nSaving; once more ends at once.\n']);
    expect(slurm('squeue', '-h')).to.equal('');
    expect(lockState(join(directory, 'alpha_0.1'))).to.equal('free');
    expect((await ended(startSearch(['--parent_dir', directory]))).exitCode).to.equal(0);
    expect(Object.values(statesIn(directory))).to.deep.equal(['complete', 'complete']);
    expect(countOf('starts', directory, 'alpha_0.1')).to.equal(2);
  });

  it('goes on after a job that was preempted, which is no failure', async () => {
    const directory = prepare({ space: { alpha: [0.5] }, retries: 0 }, { num_epochs: 12, epoch_ms: 200 });
    const child = join(directory, 'alpha_0.5');
    const end = ended(startSearch(['--parent_dir', directory]));
    await until(() => existsSync(join(child, 'metrics.jsonl')));
    const job = jobOf(child);
    slurm('scontrol', 'requeue', job);
    await until(() => slurm('squeue', '-h', '-j', job, '-o', '%T') !== 'RUNNING');
    // In the queue again it would wait for two minutes.
    await wait(1000);
    slurm('scontrol', 'update', `JobId=${job}`, 'StartTime=now');
    const { exitCode, stdout } = await end;
    expect([exitCode, statesIn(directory)], stdout).to.deep.equal([0, { 'alpha_0.5': 'complete' }]);
    expect([countOf('starts', child), countOf('ends', child)]).to.deep.equal([2, 1]);
  });

  it('records a job that Slurm refuses', async () => {
    const directory = prepare({ space: { alpha: [0.1] }, slurm: { partition: 'none' } });
    await ended(startSearch(['--parent_dir', directory]));
    const log = readFileSync(join(directory, 'search_hyperparameters.log'), 'utf8');
    expect(log).to.match(/ERROR: .*alpha_0\.1: failed: sbatch: error: .*[Ii]nvalid partition/);
  });
});

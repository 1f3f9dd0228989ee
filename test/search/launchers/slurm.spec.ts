/** Trials as jobs of a real Slurm of two nodes, where one is installed. */
import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect } from 'chai';
import { lockState } from '../../../runs/lock';
import { readJournal } from '../../../search/journal';
import {
  childrenOf,
  countOf,
  ended,
  makeSearch,
  runSearch,
  startSearch,
  statesIn,
  type Ended,
} from '../../helpers/searching';
import { hasSlurm, releaseRequeued, slurm, submitLimit, TestCluster, trainersOf } from '../../helpers/slurm';

describe('a search on Slurm', function () {
  this.timeout(120_000);
  const directories: string[] = [];
  let cluster: TestCluster;
  /** A trial of one epoch that is longer than its job may run, on a cluster of its own. */
  let limited: { directory: string; cluster: TestCluster; end: Promise<Ended> };
  before(async function () {
    if (!hasSlurm) return this.skip();
    const folder = () => {
      directories.push(mkdtempSync(join(tmpdir(), 'slurm-')));
      return directories.at(-1)!;
    };
    const slow = await TestCluster.start(folder());
    const directory = prepare(
      { space: { alpha: [0.77] }, retries: 0, slurm: { partition: 'short' } },
      { num_epochs: 1, epoch_ms: 200_000, later_epoch_ms: 1000, steps: 1000 },
    );
    limited = { directory, cluster: slow, end: ended(startSearch(['--parent_dir', directory])) };
    // Slurm looks for jobs whose time is up every 30 seconds: so the next time but one is soon after the first minute.
    setTimeout(() => void slow.stopController().then(() => slow.startController()), 34_000).unref();

    const limitedPartition = 'PartitionName=limited Nodes=node1,node2 MaxTime=INFINITE State=UP';
    submitLimit(folder(), 'limited', 6);
    const lines = ['JobSubmitPlugins=lua', limitedPartition];
    cluster = await TestCluster.start(directories.at(-1)!, { nodes: 2, cpus: 4, lines });
  });
  after(async () => {
    await limited?.cluster.stop();
    await cluster?.stop();
    for (const directory of directories) rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
  });
  const prepare = (search: object, params: object = {}) => {
    const directory = makeSearch({ launcher: 'slurm', ...search }, params);
    directories.push(directory);
    return directory;
  };
  const jobOf = (...path: string[]) => readFileSync(join(...path, 'slurm.job'), 'utf8');
  const stateOf = (...path: string[]) => slurm('squeue', '-h', '-t', 'all', '-j', jobOf(...path), '-o', '%T');
  const until = async (condition: () => boolean) => {
    while (!condition()) await wait(50);
  };
  const eventsIn = (directory: string) => readJournal(join(directory, 'search.journal.jsonl'));

  it('trains every point, keeps the numbers of the jobs and a log of each start, and tells why one failed', async () => {
    const directory = prepare({ space: { behavior: ['good', 'fail'] } });
    const { exitCode, stdout } = await ended(startSearch(['--parent_dir', directory]));
    expect(exitCode).to.equal(0);
    expect(statesIn(directory)).to.deep.equal({ behavior_good: 'complete', behavior_fail: 'failed' });
    expect(stdout).to.include('behavior_fail: failed: error: the last word');
    const jobs = eventsIn(directory).flatMap((event) => (event.event === 'job' ? [`${event.name} ${event.job}`] : []));
    expect(jobs).to.include(`behavior_good ${jobOf(directory, 'behavior_good')}`);
    expect(new Set(jobs)).to.have.lengthOf(3);
    const logs = readdirSync(join(directory, 'behavior_fail')).filter((name) => name.startsWith('launcher'));
    expect(logs).to.deep.equal(['launcher.1.log', 'launcher.log']);
    for (const log of logs) {
      expect(readFileSync(join(directory, 'behavior_fail', log), 'utf8')).to.include('the last word');
    }
  });

  it('waits for the job of a search that was killed, also where its number was not written down', async () => {
    // Long enough for another search to start on a busy machine.
    const directory = prepare({ space: { alpha: [0.5] } }, { num_epochs: 20, epoch_ms: 400 });
    const child = join(directory, 'alpha_0.5');
    const first = startSearch(['--parent_dir', directory]);
    const end = ended(first);
    await until(() => countOf('starts', child) === 1);
    first.kill('SIGKILL');
    await end;
    const job = jobOf(child);
    rmSync(join(child, 'slurm.job'));
    rmSync(join(child, '.lock'));
    expect((await ended(startSearch(['--parent_dir', directory]))).stdout).to.include(`Already running: ${child}\n`);
    expect([countOf('starts', child), countOf('ends', child)]).to.deep.equal([1, 1]);
    expect(eventsIn(directory).filter((event) => event.event === 'job' && event.job !== job)).to.deep.equal([]);
  });

  it('saves and cancels on Ctrl-C, what runs, what waits and what is suspended, and goes on', async () => {
    const slurmSettings = { cpus: 2, nodes_exclude: 'node2' };
    const directory = prepare(
      { space: { alpha: [0.1, 0.2, 0.3] }, slurm: slurmSettings },
      { num_epochs: 2, steps: 1000, epoch_ms: 100_000, later_epoch_ms: 500 },
    );
    const search = startSearch(['--parent_dir', directory]);
    const end = ended(search);
    const inState = (state: string) =>
      childrenOf(directory).filter(
        (name) => existsSync(join(directory, name, 'slurm.job')) && stateOf(directory, name) === state,
      );
    const started = () => childrenOf(directory).filter((name) => countOf('starts', directory, name) === 1);
    await until(() => started().length === 2 && inState('PENDING').length === 1);
    const suspended = started()[0]!;
    slurm('scontrol', 'suspend', jobOf(directory, suspended));
    await until(() => inState('SUSPENDED').length === 1);
    search.kill('SIGINT');
    const { exitCode, stdout, stderr } = await end;
    expect([exitCode, stderr]).to.deep.equal([130, '\nSaving; press Ctrl-C again to quit at once.\n']);
    expect(stdout).to.match(/Slurm job \d+ is suspended and takes no signal: it is cancelled/);
    expect(stdout).to.include(`${join(directory, suspended)}: Slurm job`);
    expect(slurm('squeue', '-h', '-n', 'alpha_0.1,alpha_0.2,alpha_0.3')).to.equal('');
    for (const name of childrenOf(directory)) expect(lockState(join(directory, name)), name).to.equal('free');
    // The one that waited would take its time at its first start.
    for (const name of childrenOf(directory)) appendFileSync(join(directory, name, 'starts.txt'), '');
    expect((await ended(startSearch(['--parent_dir', directory]))).exitCode).to.equal(0);
    expect(Object.values(statesIn(directory))).to.deep.equal(Array(3).fill('complete'));
    const params = JSON.parse(readFileSync(join(directory, 'alpha_0.1', 'params.json'), 'utf8')) as object;
    expect(params).to.include({ threads: 2 });
    for (const name of childrenOf(directory)) expect(countOf('ends', directory, name), name).to.equal(1);
  });

  it('says that a job can never start, shows why one waits, and what Slurm refuses', async () => {
    const late = prepare({ space: { alpha: [0.1] }, slurm: { partition: 'short', time: '5' } });
    const search = startSearch(['--parent_dir', late]);
    const end = ended(search);
    let said = '';
    search.stdout!.on('data', (text: string) => (said += text));
    await until(() => said.includes('may never start'));
    search.kill('SIGINT');
    await end;
    expect(said).to.match(/alpha_0\.1: Slurm job \d+ may never start: PartitionTimeLimit\n/);

    const directory = prepare({ space: { alpha: [0.1] }, slurm: { partition: 'none' } });
    await ended(startSearch(['--parent_dir', directory]));
    const log = readFileSync(join(directory, 'search_hyperparameters.log'), 'utf8');
    expect(log).to.match(/ERROR: .*alpha_0\.1: failed: sbatch: error: .*[Ii]nvalid partition/);
  });

  it('records what ended a job that was cancelled, not what its trainer said then', async () => {
    const directory = prepare({ space: { alpha: [0.5] }, retries: 0 }, { num_epochs: 100, epoch_ms: 100 });
    const child = join(directory, 'alpha_0.5');
    const end = ended(startSearch(['--parent_dir', directory]));
    await until(() => existsSync(join(child, 'last.safetensors')));
    slurm('scancel', jobOf(child));
    const { stdout } = await end;
    expect(readFileSync(join(child, 'launcher.log'), 'utf8')).to.include('Saving; press Ctrl-C again to quit at once.');
    expect(stdout).to.match(/alpha_0\.5: failed: Slurm job \d+: CANCELLED/);
  });

  it('counts the training time of all jobs against "trial_timeout", not the time in which they are suspended', async () => {
    const directory = prepare({ space: { alpha: [0.5] }, trial_timeout: '4s' }, { num_epochs: 100, epoch_ms: 200 });
    const child = join(directory, 'alpha_0.5');
    const end = ended(startSearch(['--parent_dir', directory]));
    await until(() => existsSync(join(child, 'last.safetensors')));
    slurm('scontrol', 'suspend', jobOf(child));
    await wait(5000);
    expect(stateOf(child)).to.equal('SUSPENDED');
    slurm('scontrol', 'resume', jobOf(child));
    // A new job begins at zero, the time of the trial does not.
    await wait(1000);
    slurm('scancel', '--batch', '--signal=TERM', jobOf(child));
    expect((await end).stdout).to.include('alpha_0.5: failed: timeout after 4 s');
    const times = eventsIn(directory).flatMap((event) => (event.event === 'job' ? [event] : []));
    expect(new Set(times.map(({ job }) => job))).to.have.lengthOf(2);
    expect(times.at(-1)!.total).to.be.within(4, 9);
    expect(times.at(-1)!.seconds).to.be.below(times.at(-1)!.total);
  });

  it('does 12 trials once each, whatever is killed meanwhile, with the results of a local search', async () => {
    const space = { alpha: Array.from({ length: 12 }, (_, i) => (i + 1) / 16) };
    const directory = prepare({ space, slurm: { partition: 'limited' } }, { num_epochs: 3, steps: 10, epoch_ms: 2000 });
    const names = space.alpha.map((alpha) => `alpha_${alpha}`);
    const queue = () =>
      slurm('squeue', '-h', '-p', 'limited', '-O', 'JobID:20,State:20,NodeList:20,Name:60').split('\n');
    const runningOn = (node: string) =>
      queue().flatMap((line) => {
        const [id, , place, name = ''] = line.trim().split(/\s+/);
        return place === node && existsSync(join(directory, name, 'last.safetensors')) ? [{ id: id!, name }] : [];
      });
    const first = startSearch(['--parent_dir', directory]);
    const firstEnd = ended(first);
    await until(() => runningOn('node1').length >= 3 && runningOn('node2').length >= 2);
    // No more than the limit allows; the others wait without being failures.
    expect(queue()).to.have.lengthOf(6);

    const [victim, requeued] = runningOn('node1');
    for (const pid of trainersOf(join(directory, victim!.name))) process.kill(pid, 'SIGKILL');
    await cluster.killNode('node2');
    slurm('scontrol', 'requeue', requeued!.id);
    await cluster.stopController();
    await wait(2500);
    first.kill('SIGKILL');
    await firstEnd;
    const second = startSearch(['--parent_dir', directory]);
    let said = '';
    second.stdout!.on('data', (text: string) => (said += text));
    const secondEnd = ended(second);
    await until(() => said.includes('Slurm does not respond'));
    cluster.startController();
    cluster.startNode('node2');
    const helper = setInterval(() => {
      slurm('scontrol', 'update', 'NodeName=node2', 'State=RESUME');
      releaseRequeued();
    }, 1000);
    const { exitCode, stdout } = await secondEnd.finally(() => clearInterval(helper));
    expect(exitCode, stdout).to.equal(0);
    expect(stdout).to.include('Slurm responds again');
    expect(statesIn(directory)).to.deep.equal(Object.fromEntries(names.map((name) => [name, 'complete'])));

    const local = makeSearch({ space, n_jobs: 4 }, { num_epochs: 3, steps: 10, epoch_ms: 10 });
    directories.push(local);
    await runSearch(local);
    for (const name of names) {
      expect(countOf('ends', directory, name), name).to.equal(1);
      for (const file of ['metrics.jsonl', 'metrics_val_best_weights.json', 'metrics_test_best_weights.json']) {
        const content = (parent: string) => readFileSync(join(parent, name, file), 'utf8');
        expect(content(directory), `${name}/${file}`).to.equal(content(local));
      }
    }
    for (const name of [victim!.name, requeued!.name]) expect(countOf('starts', directory, name), name).to.equal(2);
    expect(stdout).to.match(/Best val_accuracy: 0\.7500 of .*alpha_0\.75\n/);
  });

  it('goes on, without a failure, with a trial whose epoch is longer than the time limit', async () => {
    const { exitCode, stdout } = await limited.end;
    const child = join(limited.directory, 'alpha_0.77');
    expect(exitCode, stdout).to.equal(0);
    expect(stdout).to.match(/Slurm job \d+: TIMEOUT; resuming from the checkpoint/);
    expect([countOf('starts', child), countOf('ends', child)]).to.deep.equal([2, 1]);
    // The steps before and after make the weights of a training in one go.
    const local = makeSearch({ space: { alpha: [0.77] } }, { num_epochs: 1, epoch_ms: 1, steps: 1000 });
    directories.push(local);
    await runSearch(local);
    const weights = (path: string) => readFileSync(join(path, 'metrics_test_best_weights.json'), 'utf8');
    expect(weights(child)).to.equal(weights(join(local, 'alpha_0.77')));
  });
});

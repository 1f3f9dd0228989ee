/** Tests search/launchers/slurm.ts. What the launcher makes of what Slurm says, with stand-ins for its commands. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { writeSafetensors } from '../../../formats/safetensors';
import { lockState } from '../../../runs/lock';
import { positionText, START } from '../../../runs/position';
import { LauncherFault } from '../../../search/launchers/launcher';
import { slurmLauncher } from '../../../search/launchers/slurm';
import { Cluster } from '../../../search/launchers/slurm_cluster';
import { commentOf, memoryAfter, sbatchOptions, writeScript } from '../../../search/launchers/slurm_options';
import { endingOf, isHopeless, parseStates, waitingFor } from '../../../search/launchers/slurm_states';
import { mostAtATime } from '../../../search/parallelism';
import { parseSettings, type SlurmSettings } from '../../../search/settings/settings';
import { hasAdvanced, positionsOf } from '../../../search/trials/positions';
import { RunningTime } from '../../../search/trials/running_time';
import { SlurmCommands } from '../../helpers/slurm_commands';

const unreachable = 'slurm_load_jobs error: Unable to contact slurm controller (connect failure)';

describe('what a trial asks of Slurm', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'slurm-options-'));
  after(() => rmSync(scratch, { recursive: true }));

  it('is what search.json says', () => {
    const settings = {
      ...{ partition: 'gpu', time: '4:00:00', gres: 'gpu:1', cpus: 4, memory: '8G', account: 'vision', qos: 'long' },
      ...{ constraint: 'a100|h100', nodes_exclude: 'gpu[01-04]', signal: 'TERM@120', options: ['--mail-type=END'] },
    };
    const options = sbatchOptions('/a/100%/alpha_0.5', settings, 2);
    expect(options).to.include.members(['--partition=gpu', '--time=4:00:00', '--gres=gpu:1', '--mem=8G']);
    expect(options).to.include.members(['--account=vision', '--qos=long', '--constraint=a100|h100']);
    expect(options).to.include.members(['--exclude=gpu[01-04]', '--signal=B:TERM@120', '--mail-type=END']);
    expect(options).to.include.members(['--job-name=alpha_0.5', '--cpus-per-task=4', '--requeue']);
    expect(options).to.include.members(['--error=/a/100%%/alpha_0.5/launcher.log', '--open-mode=append']);
    expect(sbatchOptions('/a', {}, 2)).to.include('--cpus-per-task=2');
  });

  it('is a script with the lines of "setup", whose place the trainer takes', () => {
    const setup = ['module load cuda', 'export A="b c"'];
    const script = writeScript(scratch, { setup });
    expect(readFileSync(script, 'utf8')).to.equal('#!/bin/bash\nmodule load cuda\nexport A="b c"\nexec "$@"\n');
  });

  it('is more memory after each start that ran out of it', () => {
    expect([0, 1, 2].map((growths) => memoryAfter({ memory: '8G' }, growths))).to.deep.equal([
      '8G',
      '12288M',
      '18432M',
    ]);
    expect(memoryAfter({ memory: '1000K', memory_factor: 2 }, 1)).to.equal('2M');
    expect(memoryAfter({ memory: '300' }, 1)).to.equal('450M');
    expect(memoryAfter({}, 3)).to.equal(undefined);
  });

  const parse = (search: object) =>
    parseSettings({ space: { alpha: { low: 0, high: 1 } }, sampler: 'random', ...search }, 'f');

  it('trains on as many threads as it has CPUs', () => {
    expect(parse({ launcher: 'slurm', slurm: { cpus: 4 } }).threads_per_trial).to.equal(4);
    expect(parse({ launcher: 'slurm', slurm: { cpus: 4 }, threads_per_trial: 2 }).threads_per_trial).to.equal(2);
    expect(parse({ launcher: 'local', slurm: { cpus: 4 } }).threads_per_trial).to.equal(1);
  });

  it('is few jobs at a time where later trials learn from earlier ones', () => {
    const at = (search: object) => mostAtATime(parse({ launcher: 'slurm', n_trials: 100, ...search }), 8);
    expect(at({})).to.deep.equal({ parallel: 100 });
    expect(at({ sampler: 'tpe' }).parallel).to.equal(10);
    expect(at({ sampler: 'tpe' }).why).to.match(/^10 jobs at a time, so that "tpe" can learn .*"slurm.array_limit"/);
    expect(at({ pruner: 'asha' }).why).to.include('so that "asha" can learn');
    expect(at({ sampler: 'tpe', n_trials: 12 }).parallel).to.equal(4);
    expect(at({ sampler: 'tpe', n_trials: 3 })).to.deep.equal({ parallel: 3 });
    expect(at({ sampler: 'tpe', slurm: { array_limit: 30 } })).to.deep.equal({ parallel: 30 });
    expect(mostAtATime(parse({ sampler: 'tpe', threads_per_trial: 4 }), 8)).to.deep.equal({ parallel: 2 });
  });
});

describe('what Slurm says of a job', () => {
  const ending = (state: string, exit = 0, log = '', reason = 'None') =>
    endingOf('7', { state, exit, seconds: 0, reason }, log);

  it('is read from squeue, whatever its version', () => {
    const output = [
      '7                   RUNNING             0                   1-02:03:04          None',
      '8                   FAILED              36608               2:03                NonZeroExitCode',
      '9                   FAILED              143:0               0:00                NonZeroExitCode',
      '10                  PENDING             0                   0:00                ReqNodeNotAvail, UnavailableNodes:n[1-2]',
      '11                  RUNNING             0                   0:07                None      distillery:0a:b      ',
      '',
    ].join('\n');
    expect([...parseStates(output)]).to.deep.equal([
      ['7', { state: 'RUNNING', exit: 0, seconds: 93784, reason: 'None' }],
      ['8', { state: 'FAILED', exit: 36608, seconds: 123, reason: 'NonZeroExitCode' }],
      ['9', { state: 'FAILED', exit: 36608, seconds: 0, reason: 'NonZeroExitCode' }],
      ['10', { state: 'PENDING', exit: 0, seconds: 0, reason: 'ReqNodeNotAvail, UnavailableNodes:n[1-2]' }],
      ['11', { state: 'RUNNING', exit: 0, seconds: 7, reason: 'None', comment: 'distillery:0a:b' }],
    ]);
  });

  it('tells a time limit, a lost node and a signal from a failure', () => {
    for (const state of ['TIMEOUT', 'NODE_FAIL', 'PREEMPTED', 'BOOT_FAIL', 'DEADLINE']) {
      expect(ending(state), state).to.deep.equal({ how: `Slurm job 7: ${state}`, isCutShort: true, isKilled: true });
    }
    // The trainer saves and ends with 128 + the signal, or is ended by it before it listens.
    for (const exit of [129 << 8, 130 << 8, 143 << 8, 1, 2, 15]) {
      expect(ending('FAILED', exit), String(exit)).to.include({ isCutShort: true, isKilled: true });
    }
    expect(ending('FAILED', 143 << 8).how).to.equal('Slurm job 7: FAILED, ended by SIGTERM');
    expect(ending('FAILED', 1 << 8)).to.deep.equal({ how: 'Slurm job 7: FAILED, exit code 1' });
    expect(ending('FAILED', 9)).to.deep.equal({
      how: 'Slurm job 7: FAILED, killed, probably out of memory',
      isKilled: true,
    });
    expect(ending('OUT_OF_MEMORY')).to.include({ isOutOfMemory: true, isKilled: true });
    expect(ending('UNKNOWN')).to.deep.equal({ how: 'Slurm no longer knows job 7', isUnseen: true });
  });

  it('tells a user who cancels from Slurm, whatever the trainer said after that', () => {
    const line = (why: string) =>
      `slurmstepd: error: *** JOB 7 ON n1 CANCELLED AT 2026-01-01T00:00:00${why} ***\nSaving.\n`;
    expect(ending('CANCELLED', 0, line(' DUE TO PREEMPTION'))).to.include({ isCutShort: true });
    expect(ending('CANCELLED', 0, line(''))).to.include({ isCutShort: false, isKilled: true });
    expect(ending('CANCELLED', 0, line(' DUE TO JOB REQUEUE') + line(''))).to.include({ isCutShort: false });
  });

  it('is shown where a job waits, and told where it waits for what never comes', () => {
    const job = (state: string, reason: string) => ({ state, exit: 0, seconds: 0, reason });
    expect(waitingFor(job('PENDING', 'Resources'))).to.equal('pending (Resources)');
    expect(waitingFor(job('SUSPENDED', 'None'))).to.equal('suspended');
    expect(waitingFor(job('RUNNING', 'None'))).to.equal(undefined);
    for (const reason of [
      'PartitionTimeLimit',
      'ReqNodeNotAvail, UnavailableNodes:n2',
      'JobHeldAdmin',
      'BadConstraints',
    ]) {
      expect(isHopeless(job('PENDING', reason)), reason).to.equal(true);
    }
    for (const reason of ['Resources', 'Priority', 'BeginTime', 'QOSMaxJobsPerUserLimit', 'None']) {
      expect(isHopeless(job('PENDING', reason)), reason).to.equal(false);
    }
  });
});

describe('the progress of a trial', () => {
  it('is the position of its checkpoints, also within an epoch and in the stages of a method', () => {
    const directory = mkdtempSync(join(tmpdir(), 'positions-'));
    const write = (folder: string, epoch: number, step: number) => {
      mkdirSync(join(directory, folder), { recursive: true });
      const position = positionText({ ...START, epoch, step });
      writeSafetensors(join(directory, folder, 'last.safetensors'), new Map(), { position });
    };
    const start = positionsOf(directory);
    write('.', 0, 9);
    const nine = positionsOf(directory);
    write('.', 0, 18);
    const eighteen = positionsOf(directory);
    expect([hasAdvanced(start, nine), hasAdvanced(nine, eighteen)]).to.deep.equal([true, true]);
    expect([hasAdvanced(eighteen, eighteen), hasAdvanced(eighteen, nine)]).to.deep.equal([false, false]);
    write(join('stages', '1_teacher'), 1, 0);
    expect(hasAdvanced(eighteen, positionsOf(directory))).to.equal(true);
    writeFileSync(join(directory, 'last.safetensors'), 'no checkpoint');
    expect(hasAdvanced(eighteen, positionsOf(directory))).to.equal(true);
    rmSync(directory, { recursive: true });
  });

  it('takes the time of all its jobs, each of which Slurm may restart', () => {
    const time = new RunningTime(0, undefined);
    expect([time.add('7', 3), time.add('7', 5)].map(({ total }) => total)).to.deep.equal([3, 5]);
    expect(time.add('7', 2).total).to.equal(7);
    const last = time.add('8', 4);
    expect(last).to.deep.equal({ repeat: 0, job: '8', seconds: 4, total: 11 });
    // The next start of the search finds the job ten seconds on.
    expect(new RunningTime(0, last).add('8', 14).total).to.equal(21);
    expect(new RunningTime(1, last).add('9', 1).total).to.equal(1);
  });
});

describe('a Slurm that is not as it should be', function () {
  this.timeout(30_000);
  const scratch = mkdtempSync(join(tmpdir(), 'slurm-commands-'));
  let count = 0;
  let commands: SlurmCommands;
  let directory: string;
  let lines: string[];
  beforeEach(function () {
    if (process.platform === 'win32') return this.skip();
    const folder = join(scratch, String(count++));
    commands = new SlurmCommands(join(folder, 'bin'));
    directory = join(folder, 'alpha_0.5');
    mkdirSync(directory);
    lines = [];
  });
  afterEach(() => commands.restore());
  after(() => rmSync(scratch, { recursive: true }));
  const say = (line: string) => void lines.push(line);
  const launcherFor = (settings: SlurmSettings = {}, away = 60_000, isInterrupted = () => false) => {
    const log = { info: say, warn: say, error: say };
    return slurmLauncher(['train'], settings, 1, new Cluster(log, isInterrupted, 5, { away, interrupted: 50 }));
  };
  const done = (id: number) => `${id} COMPLETED 0 0:07 None`;

  it('is waited for at a start, with a line, and nothing fails meanwhile', async () => {
    commands.answer('sbatch', '7');
    commands.answer('squeue', done(7));
    commands.answer('squeue', unreachable, { call: 1, fails: true });
    commands.answer('squeue', 'squeue: error: Munge encode failed', { call: 2, fails: true });
    writeFileSync(join(directory, 'slurm.job'), '7');
    expect(await launcherFor().resume(directory)).to.equal(undefined);
    expect(lines).to.have.lengthOf(2);
    expect(lines[0]).to.match(
      /^Slurm does not respond \(.*Unable to contact.*\); waiting up to 01:00 while jobs keep training$/,
    );
    expect(lines[1]).to.match(/^Slurm responds again after /);
  });

  it('does not get a job twice where nobody knows whether it took the first', async () => {
    commands.answer('sbatch', 'sbatch: error: Batch job submission failed: Socket timed out', { fails: true });
    commands.answer('squeue', done(7));
    const launch = launcherFor().launch(directory);
    while (commands.calls('sbatch').length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const comment = /--comment=(\S+)/.exec(commands.calls('sbatch')[0]!)![1]!;
    expect(comment.startsWith(commentOf(directory))).to.equal(true);
    commands.answer('squeue', `6 other\n7 ${comment}`);
    while (commands.calls('squeue').length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    commands.answer('squeue', done(7));
    const job = await launch;
    await job.ended;
    expect(job.status().id).to.equal('7');
    expect(readFileSync(join(directory, 'slurm.job'), 'utf8')).to.equal('7');
    expect(new Set(commands.calls('sbatch').map((call) => /--comment=\S+/.exec(call)![0]))).to.have.lengthOf(1);
  });

  it('ends the search, and no trial, where it stays away; soon where the search is interrupted', async () => {
    commands.answer('squeue', unreachable, { fails: true });
    for (const launcher of [launcherFor({}, 100), launcherFor({}, 60_000, () => true)]) {
      const error: unknown = await launcher.resume(directory).catch((error: unknown) => error);
      expect(error).to.be.instanceOf(LauncherFault);
      expect((error as Error).message).to.match(
        /^Slurm has not responded for .*; jobs keep training, run the same command to resume$/,
      );
    }
  });

  it('lets a job that it has no place for wait its turn, and those behind it', async () => {
    const refusal =
      'sbatch: error: QOSMaxSubmitJobPerUserLimit\nsbatch: error: Batch job submission failed: Job violates accounting/QOS policy';
    commands.answer('sbatch', refusal, { fails: true });
    commands.answer('squeue', `${done(7)}\n${done(8)}`);
    const launcher = launcherFor();
    const other = join(directory, '..', 'alpha_0.6');
    mkdirSync(other);
    const jobs = [await launcher.launch(directory), await launcher.launch(other)];
    while (!jobs[0]!.status().waiting?.startsWith('waiting for a free slot'))
      await new Promise((resolve) => setTimeout(resolve, 5));
    expect(jobs[0]!.status().waiting).to.include('QOSMaxSubmitJobPerUserLimit');
    expect(jobs[1]!.status().waiting).to.equal('to be submitted');
    expect(commands.calls('sbatch').every((call) => call.includes('alpha_0.5'))).to.equal(true);
    commands.answer('sbatch', '7');
    expect((await jobs[0]!.ended).how).to.equal('Slurm job 7: COMPLETED');
    expect((await jobs[1]!.ended).how).to.equal('Slurm job 7: COMPLETED');
  });

  it('gets no job of a search that is interrupted while the job waits for a place', async () => {
    commands.answer('sbatch', 'sbatch: error: AssocMaxSubmitJobLimit', { fails: true });
    const job = await launcherFor().launch(directory);
    while (commands.calls('sbatch').length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    job.signal('SIGINT');
    expect((await job.ended).how).to.equal('ended before it was submitted');
  });

  it('is asked for more memory after a job that ran out of it', async () => {
    commands.answer('sbatch', '7');
    commands.answer('squeue', '7 OUT_OF_MEMORY 9 0:07 OutOfMemory');
    const launcher = launcherFor({ memory: '2G' });
    const first = await (await launcher.launch(directory)).ended;
    expect(first.how).to.equal('Slurm job 7: OUT_OF_MEMORY; the next start asks for 3072M');
    writeFileSync(join(directory, 'launcher.log'), 'first');
    await (
      await launcher.launch(directory)
    ).ended;
    const asked = commands.calls('sbatch').map((call) => /--mem=(\S+)/.exec(call)![1]);
    expect(asked).to.deep.equal(['2G', '3072M']);
    expect(readdirSync(directory)).to.include('launcher.1.log');
  });

  it('is believed about a job, not the lock that the job left', async () => {
    const lock = {
      pid: 1,
      host: 'node7',
      started: null,
      since: new Date().toISOString(),
      job: '7',
      restarts: 0,
      heartbeat: 10,
    };
    writeFileSync(join(directory, '.lock'), JSON.stringify(lock));
    expect(lockState(directory)).to.equal('held');
    commands.answer('squeue', '7 RUNNING 0 0:07 None');
    const running = await launcherFor().resume(directory);
    expect(running).not.to.equal(undefined);
    expect(lockState(directory)).to.equal('held');
    commands.answer('squeue', '7 FAILED 9 0:07 None');
    await running!.ended;
    expect(lockState(directory)).to.equal('free');
  });

  it('leaves the lock of a job that is of another user, or of another cluster', async () => {
    const lock = {
      pid: 1,
      host: 'node7',
      started: null,
      since: new Date().toISOString(),
      job: '7',
      restarts: 0,
      heartbeat: 10,
    };
    writeFileSync(join(directory, '.lock'), JSON.stringify(lock));
    commands.answer('squeue', '7 RUNNING 0 0:07 None');
    commands.answer('squeue', '', { call: 1 });
    expect(await launcherFor().resume(directory)).to.equal(undefined);
    expect(lockState(directory)).to.equal('held');
    commands.answer('squeue', 'slurm_load_jobs error: Invalid job id specified', { fails: true });
    commands.answer('squeue', '', { call: 3 });
    expect(await launcherFor().resume(directory)).to.equal(undefined);
    expect(lockState(directory)).to.equal('held');
  });

  it('may have forgotten a job: how it ended is asked of the accounting, or not known', async () => {
    commands.answer('sbatch', '7');
    commands.answer('squeue', 'slurm_load_jobs error: Invalid job id specified', { fails: true });
    commands.answer('sacct', '7|CANCELLED by 1000|0:0|00:00:09');
    const known = await launcherFor().launch(directory);
    expect((await known.ended).how).to.equal('Slurm job 7: CANCELLED');
    expect(known.status().seconds).to.equal(9);
    commands.answer('sacct', 'Slurm accounting storage is disabled', { fails: true });
    expect(await (await launcherFor().launch(directory)).ended).to.include({ isUnseen: true });
  });

  it('may have forgotten a job and given its number to another', async () => {
    const job = (comment: string) => `7 RUNNING 0 0:07 None ${comment}`;
    const [own, other] = [`${commentOf(directory)}:a`, 'distillery:0:b'];
    commands.answer('sbatch', '7');
    commands.answer('squeue', job(own));
    const launched = await launcherFor().launch(directory);
    while (commands.calls('squeue').length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(await launcherFor().resume(directory)).not.to.equal(undefined);
    commands.answer('squeue', job(other));
    expect(await launched.ended).to.include({ isUnseen: true });
    expect(await launcherFor().resume(directory)).to.equal(undefined);
  });

  it('is asked about all jobs at once', async () => {
    commands.answer('sbatch', '7', { call: 1 });
    commands.answer('sbatch', '8', { call: 2 });
    commands.answer('squeue', '7 RUNNING 0 0:07 None\n8 RUNNING 0 0:07 None');
    const launcher = launcherFor();
    const jobs = [await launcher.launch(directory), await launcher.launch(directory)];
    while (!commands.calls('squeue').at(-1)?.includes('-j 7,8')) await new Promise((resolve) => setTimeout(resolve, 5));
    commands.answer('squeue', `${done(7)}\n${done(8)}`);
    await Promise.all(jobs.map(({ ended }) => ended));
  });

  it('hands a signal to what runs, and cancels what waits or is suspended', async () => {
    const sent = async (state: string, reason = 'None') => {
      commands.answer('sbatch', '7');
      commands.answer('squeue', `7 ${state} 0 0:07 ${reason}`);
      const job = await launcherFor().launch(directory);
      while (job.status().id === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
      const before = commands.calls('scancel').length;
      job.signal('SIGINT');
      while (commands.calls('scancel').length === before) await new Promise((resolve) => setTimeout(resolve, 5));
      commands.answer('squeue', done(7));
      await job.ended;
      return commands.calls('scancel')[before];
    };
    expect(await sent('RUNNING')).to.equal('--batch --signal=SIGINT 7');
    expect(await sent('PENDING', 'Resources')).to.equal('--state=PENDING 7');
    expect(await sent('SUSPENDED')).to.equal('7');
    expect(lines.filter((line) => line.includes('is suspended and takes no signal'))).to.have.lengthOf(1);
  });
});

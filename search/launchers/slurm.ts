/** Children as batch jobs of a cluster (Slurm: sbatch, squeue, scancel). The directories must be seen by all its nodes. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { messageOf, UserError } from '../../utils/errors';
import { readText, writeFileAtomic } from '../../utils/files';
import { lockHolder, lockState } from '../../utils/lock';
import { isFinished, lastWords, LAUNCHER_LOG } from '../child';
import type { SlurmSettings } from '../settings';
import type { Job, Launcher, Signal } from './launcher';
import { adopt } from './local';

/** The number of the job that works on a directory. */
const JOB_FILE = 'slurm.job';

/** States of a job that does not come back, of squeue(1); the first are no fault of the job. */
const cutShort = ['PREEMPTED', 'TIMEOUT', 'NODE_FAIL', 'BOOT_FAIL', 'DEADLINE'];
const cancelledBySlurm = /CANCELLED AT .* DUE TO (JOB REQUEUE|PREEMPTION|TIME LIMIT|NODE FAILURE)/;
const over = [...cutShort, 'CANCELLED', 'COMPLETED', 'FAILED', 'OUT_OF_MEMORY', 'GONE'];

/** Submits `<trainer> --model_dir <directory>`, from this working directory, with one job a child. */
export function slurmLauncher(
  trainer: readonly string[],
  settings: SlurmSettings,
  threads: number,
  pollMs: number,
): Launcher {
  return {
    async launch(directory) {
      const script = join(__dirname, 'slurm.sh');
      const args = [...sbatchOptions(directory, settings, threads), script, ...trainer, '--model_dir', directory];
      const id = (await slurm('sbatch', args)).trim().split(';')[0]!;
      writeFileAtomic(join(directory, JOB_FILE), id);
      return watch(id, directory, pollMs);
    },
    async resume(directory) {
      const path = join(directory, JOB_FILE);
      const id = existsSync(path) ? readText(path) : '';
      if (/^\d+$/.test(id) && !over.includes((await lookUp(id)).state)) return watch(id, directory, pollMs);
      return adopt(directory, pollMs);
    },
  };
}

/** Throws a UserError where this machine has no Slurm. */
export async function requireSlurm(): Promise<void> {
  await slurm('sbatch', ['--version']);
}

/** `threads`: CPUs where the settings name none. */
export function sbatchOptions(directory: string, settings: SlurmSettings, threads: number): string[] {
  const { partition, time, gres, cpus = threads, memory } = settings;
  const optional = { partition, time, gres, mem: memory };
  // In names of files % begins a placeholder.
  const stderr = resolve(directory, LAUNCHER_LOG).replaceAll('%', '%%');
  return [
    '--parsable',
    '--requeue',
    '--ntasks=1',
    `--job-name=${basename(directory)}`,
    `--chdir=${process.cwd()}`,
    '--output=/dev/null',
    `--error=${stderr}`,
    `--cpus-per-task=${cpus}`,
    ...Object.entries(optional).flatMap(([key, value]) => (value === undefined ? [] : [`--${key}=${value}`])),
  ];
}

function watch(id: string, directory: string, pollMs: number): Job {
  let latest = { state: 'PENDING', node: '' };
  const follow = async () => {
    // A job on its way back into the queue may look as if it were over: only the second look counts.
    for (let wasOver = false; ;) {
      const { state, node } = await lookUp(id).catch(() => latest);
      latest = { state, node: node === '' ? latest.node : node };
      const isOver = over.includes(state);
      if (isOver && (wasOver || isFinished(directory))) break;
      wasOver = isOver;
      await wait(pollMs);
    }
    removeLockOf(directory, latest.node);
    const isCutShort = cutShort.includes(latest.state) || cancelledBySlurm.test(lastWords(directory));
    return { how: `Slurm job ${id}: ${latest.state}`, isCutShort };
  };
  return {
    ended: follow(),
    isWaiting: () => ['PENDING', 'CONFIGURING', 'REQUEUED', 'REQUEUE_HOLD', 'SPECIAL_EXIT'].includes(latest.state),
    signal: (signal) => void send(signal, id),
  };
}

/** A signal for the trainer, which has taken the place of the batch script; a job that waits is cancelled. */
async function send(signal: Signal, id: string): Promise<void> {
  const commands =
    signal === 'SIGKILL'
      ? [[id]]
      : [
          ['--state=PENDING', id],
          ['--batch', `--signal=${signal}`, id],
        ];
  for (const args of commands) await slurm('scancel', args).catch(() => {});
}

/** State and node of a job; the state is 'GONE' where Slurm has forgotten it. Throws where Slurm does not answer. */
async function lookUp(id: string): Promise<{ state: string; node: string }> {
  try {
    const [state = '', node = ''] = (await slurm('squeue', ['-h', '-t', 'all', '-j', id, '-o', '%T|%N']))
      .trim()
      .split('|');
    if (state === '') throw new Error(`squeue: no answer about job ${id}`);
    return { state, node };
  } catch (error) {
    if (messageOf(error).includes('Invalid job id')) return { state: 'GONE', node: '' };
    throw error;
  }
}

/** Removes the lock that a job left on another node when it was killed there: that it is gone can be told only here. */
export function removeLockOf(directory: string, node: string): void {
  if (lockState(directory) !== 'held' || lockHolder(directory) !== undefined) return;
  const path = join(directory, '.lock');
  const { host } = JSON.parse(readFileSync(path, 'utf8')) as { host: string };
  if (host.split('.')[0] === node.split('.')[0]) rmSync(path, { force: true });
}

async function slurm(program: string, args: readonly string[]): Promise<string> {
  try {
    return (await promisify(execFile)(program, args)).stdout;
  } catch (error) {
    const { stderr, code } = error as { stderr?: string; code?: string };
    if (code === 'ENOENT') throw new UserError(`${program}: not found; "launcher": "slurm" needs Slurm's commands`);
    throw new UserError((stderr || messageOf(error)).trim().replaceAll('\n', '; '));
  }
}

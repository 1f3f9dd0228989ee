/** A trial as a job of Ray: submitted, and watched until it is over. */
import { rmSync } from 'node:fs';
import { constants } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import { lockOwner, removeLockOf } from '../../runs/lock';
import { writing } from '../../utils/files';
import type { Ending, Job, JobStatus, Signal } from './launcher';
import { isOver, type RayCluster, type RayState } from './ray_cluster';
import { jobFile } from './ray_options';

const SUBMITTING: RayState = { status: 'PENDING', message: '' };

/** A job that waited for resources for longer than Ray allows: a quarter of an hour, unless its head says otherwise. */
const TOO_LATE = 'JOB_SUPERVISOR_ACTOR_START_TIMEOUT';

export class RayJob implements Job {
  readonly ended: Promise<Ending>;
  private latest = SUBMITTING;
  private runningSince: number | undefined;
  private wanted: Signal | undefined;
  private isTold = false;

  /** `submit` submits the job anew; the ID that it has then. */
  constructor(
    private readonly directory: string,
    private id: string,
    private readonly submit: () => Promise<string>,
    private readonly cluster: RayCluster,
  ) {
    this.ended = this.live();
    // Whoever waits for it learns of a fault; before that it is nobody's.
    this.ended.catch(() => {});
  }

  status(): JobStatus {
    const isWaiting = this.latest.status === 'PENDING';
    const seconds = this.runningSince === undefined ? 0 : Math.max(0, Date.now() - this.runningSince) / 1000;
    return { id: this.id, ...(isWaiting && { waiting: 'pending' }), seconds };
  }

  signal(signal: Signal): void {
    this.wanted = signal;
  }

  private async live(): Promise<Ending> {
    for (;;) {
      this.latest = await this.cluster.look(this.id, this.wanted !== undefined && !this.isTold);
      if (this.latest.status === 'RUNNING') this.runningSince ??= this.beginning();
      if (isOver(this.latest)) {
        removeLockOf(this.directory, this.id);
        if (this.latest.errorType !== TOO_LATE || this.wanted !== undefined) return endingOf(this.id, this.latest);
        this.cluster.log.info(`${this.directory}: Ray job ${this.id} has found no place so far: it is submitted again`);
        [this.latest, this.id] = [SUBMITTING, await this.submit()];
      }
      if (this.wanted !== undefined && !this.isTold && (await this.end())) {
        return { how: 'ended before it began', isKilled: true };
      }
      await wait(this.cluster.pollMs);
    }
  }

  /** When the trainer took the lock, for a job that an earlier start of the search has submitted. */
  private beginning(): number {
    const owner = lockOwner(this.directory);
    const since = owner?.job === this.id ? Date.parse(owner.since) : NaN;
    return Number.isNaN(since) ? Date.now() : since;
  }

  /** Has Ray end the job; whether it has not begun, and will not. Ray sends SIGTERM, whichever signal is wanted. */
  private async end(): Promise<boolean> {
    const isWaiting = this.latest.status === 'PENDING';
    // What waits in Ray's queue starts in spite of that, and ends where this file is missing.
    if (isWaiting) writing(jobFile(this.directory), () => rmSync(jobFile(this.directory), { force: true }));
    await this.cluster.stop(this.id);
    this.isTold = true;
    return isWaiting && (await this.cluster.look(this.id, true)).status === 'PENDING';
  }
}

/** Exit codes of a trainer that was told to end, as shells report them, and the signals themselves. */
const told = new Map(
  (['SIGHUP', 'SIGINT', 'SIGTERM'] as const).flatMap((name) => [
    [constants.signals[name] + 128, name],
    [-constants.signals[name], name],
  ]),
);

/** How a job ended. */
export function endingOf(id: string, { status, errorType, exitCode, message }: RayState): Ending {
  if (status === 'UNKNOWN') return { how: `Ray no longer knows job ${id}`, isUnseen: true };
  const how = `Ray job ${id}: ${status}`;
  if (status !== 'FAILED') return { how, isKilled: status === 'STOPPED' };
  if (exitCode === undefined) {
    const reason = message.trim().split('\n').at(-1)!.trim().slice(0, 200);
    // The node is gone, or Ray itself has failed; a runtime environment that cannot be made is a mistake.
    const isCutShort = errorType !== 'RUNTIME_ENV_SETUP_FAILURE';
    return { how: `${how}, ${errorType ?? 'no reason'}: ${reason}`, isCutShort, isKilled: true };
  }
  const signal = told.get(exitCode);
  if (signal !== undefined) return { how: `${how}, ended by ${signal}`, isCutShort: true, isKilled: true };
  if (exitCode === -9 || exitCode === 137) return { how: `${how}, killed, probably out of memory`, isKilled: true };
  return { how: `${how}, exit code ${exitCode}` };
}

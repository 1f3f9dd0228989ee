/** A trial as a batch job: submitted when there is a place, watched until it is over. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { searchFiles } from '../../runs/files';
import { removeLockOf } from '../../runs/lock';
import { RunDirectory } from '../../runs/run_directory';
import { messageOf, UserError } from '../../utils/errors';
import { readText } from '../../utils/files';
import { LauncherFault, type Ending, type Job, type JobStatus, type Signal } from './launcher';
import type { Cluster } from './slurm_cluster';
import {
  endingOf,
  isHopeless,
  isOver,
  isPending,
  isSuspended,
  stateOfOwn,
  waitingFor,
  type JobState,
} from './slurm_states';

/** Submits a job when it may; its number, or undefined where it became unwanted before that. `show` tells what it waits for. */
export type Submission = (isUnwanted: () => boolean, show: (why: string) => void) => Promise<string | undefined>;

const SUBMITTING: JobState = { state: 'PENDING', exit: 0, seconds: 0, reason: 'to be submitted' };

export class SlurmJob implements Job {
  readonly ended: Promise<Ending>;
  private id: string | undefined;
  private latest = SUBMITTING;
  /** What the job is to be told, and whether the trainer that runs now has been told. */
  private wanted: Signal | undefined;
  private isTold = false;
  private said = new Set<string>();

  /** `comment`: how that of the job begins. `start`: the number of the job, or what submits it, once it may. */
  constructor(
    private readonly directory: string,
    private readonly comment: string,
    start: string | Submission,
    private readonly cluster: Cluster,
  ) {
    this.ended = this.live(start);
    // Whoever waits for it learns of a fault; before that it is nobody's.
    this.ended.catch(() => {});
  }

  status(): JobStatus {
    const waiting = this.id === undefined ? this.latest.reason : waitingFor(this.latest);
    return { ...(this.id && { id: this.id }), ...(waiting && { waiting }), seconds: this.latest.seconds };
  }

  signal(signal: Signal): void {
    this.wanted = signal;
    this.isTold = false;
  }

  private async live(start: string | Submission): Promise<Ending> {
    if (typeof start === 'string') this.id = start;
    else {
      const isUnwanted = () => this.wanted !== undefined;
      try {
        this.id = await start(isUnwanted, (reason) => (this.latest = { ...SUBMITTING, reason }));
      } catch (error) {
        if (error instanceof LauncherFault || !(error instanceof UserError)) throw error;
        return { how: messageOf(error), isKilled: true };
      }
      if (this.id === undefined) return { how: 'ended before it was submitted', isKilled: true };
    }
    await this.follow(this.id);
    this.cluster.forget(this.id);
    removeLockOf(this.directory, this.id);
    const log = join(this.directory, searchFiles.launcherLog);
    return endingOf(this.id, this.latest, existsSync(log) ? readText(log) : '');
  }

  private async follow(id: string): Promise<void> {
    // A job on its way back into the queue may look as if it were over: only the second look counts.
    for (let wasOver = false; ;) {
      const latest = stateOfOwn(await this.cluster.look(id, this.wanted !== undefined && !this.isTold), this.comment);
      const seconds = isOver(latest) ? Math.max(latest.seconds, this.latest.seconds) : latest.seconds;
      this.latest = { ...latest, seconds };
      if (isOver(latest) && wasOver) return;
      if ((isOver(latest) || latest.state === 'COMPLETING') && new RunDirectory(this.directory).isFinished()) return;
      wasOver = isOver(latest);
      if (isHopeless(latest)) this.say(`Slurm job ${id} may never start: ${latest.reason}`);
      if (!wasOver && this.wanted !== undefined) await this.tell(id, this.wanted, latest);
      await wait(this.cluster.pollMs);
    }
  }

  /** Hands a signal to the trainer, which has taken the place of the batch script; a job that does not run is cancelled. */
  private async tell(id: string, signal: Signal, state: JobState): Promise<void> {
    if (isPending(state)) this.isTold = false;
    if (this.isTold || state.state === 'COMPLETING') return;
    let args = ['--batch', `--signal=${signal}`, id];
    if (isPending(state)) args = ['--state=PENDING', id];
    else if (signal === 'SIGKILL') args = [id];
    else if (isSuspended(state)) {
      args = [id];
      this.say(`Slurm job ${id} is suspended and takes no signal: it is cancelled, its last checkpoint stays`);
    }
    try {
      this.isTold = await this.cluster.tell('scancel', args);
    } catch (error) {
      if (error instanceof LauncherFault) throw error;
      // A job that has just ended cannot be told anything: the next look will tell.
      if (!/[Ii]nvalid job id|already complet/.test(messageOf(error))) this.say(messageOf(error));
    }
  }

  private say(line: string): void {
    if (!this.said.has(line)) this.cluster.log.warn(`${this.directory}: ${line}`);
    this.said.add(line);
  }
}

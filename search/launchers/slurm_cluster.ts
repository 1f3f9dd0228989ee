/** Slurm as all jobs of a search see it: its commands, which wait for a controller that is away, and one look at all jobs. */
import { execFile } from 'node:child_process';
import { userInfo } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { quoted } from '../../formats/binary';
import { messageOf, UserError } from '../../utils/errors';
import type { Log } from '../../utils/logger';
import { LauncherFault } from './launcher';
import { Outage, type Patience } from './outage';
import { FORGOTTEN, isOver, parseStates, STATE_FORMAT, type JobState } from './slurm_states';

/** A command that takes longer has lost its connection; scancel itself tries again for a minute and a half. */
const LONGEST_COMMAND = 180_000;
const away =
  /Unable to contact slurm controller|[Ss]ocket timed out|Zero Bytes were transmitted|Transport endpoint|Connection (refused|reset|timed out)|[Uu]nable to connect|No route to host|standby mode|Communication connection failure|Incompatible state|Slurmctld.*not responding/;
/** A limit on the number of jobs, which passes when others end. */
const full = /MaxSubmit|GrpSubmit|MaxJobCount|temporarily unable to accept|Resource temporarily unavailable/;
/** What sbatch says of any limit; which one is in another line, unless the site leaves that out. */
const policy = /Job violates accounting\/QOS policy/;

const UNKNOWN_JOB = 'Invalid job id';

/** Throws a UserError where this machine has no Slurm. */
export async function requireSlurm(): Promise<void> {
  await execute('sbatch', ['--version']);
}

/** Slurm did not answer, so that nobody knows whether it has done what it was asked to. */
class Away extends Error {}
/** Slurm takes no further jobs now. */
export class Full extends UserError {}

export class Cluster {
  /** Jobs under way. */
  private readonly watched = new Set<string>();
  /** The last look at them, which may be under way, and what the one before told. */
  private latest: Promise<ReadonlyMap<string, JobState>> = Promise.resolve(new Map());
  private known: ReadonlyMap<string, JobState> = new Map();
  private asked: ReadonlySet<string> = new Set();
  private isAsking = false;
  private askedAt = -Infinity;
  private changedAt = performance.now();
  private readonly outage: Outage;
  private endings = 0;

  constructor(
    readonly log: Log,
    isInterrupted: () => boolean,
    readonly pollMs: number,
    patience?: Patience,
  ) {
    this.outage = new Outage('Slurm', log, isInterrupted, patience);
  }

  /** What Slurm says of a job; not older than is sensible, or just now. Waits where Slurm does not answer. */
  async look(id: string, isUrgent = false): Promise<JobState> {
    this.watched.add(id);
    const isNew = !this.asked.has(id);
    // Jobs that have not changed for long are looked at less often.
    const age = Math.max(this.pollMs, Math.min(10 * this.pollMs, (performance.now() - this.changedAt) / 10));
    if (isNew || (!this.isAsking && performance.now() - this.askedAt >= (isUrgent ? 0 : age - 1))) {
      this.asked = new Set(this.watched);
      this.latest = this.statesOf([...this.asked]);
    }
    return (await this.latest).get(id) ?? this.remembered(id);
  }

  /** A job that is over is looked at no more. */
  forget(id: string): void {
    this.watched.delete(id);
    this.endings++;
  }

  /** Submits a job; its number. `comment` tells it from all others. Throws Full where there is no place for it now. */
  async submit(args: readonly string[], comment: string): Promise<string> {
    for (let mayBeThere = false; ;) {
      if (mayBeThere) {
        const found = [...(await this.ownJobs('all'))].find(([, other]) => other === comment);
        if (found !== undefined) return found[0];
      }
      try {
        const output = await this.attempt('sbatch', [`--comment=${comment}`, ...args]);
        this.changedAt = performance.now();
        const id = /^\d+/.exec(output.trim())?.[0];
        if (id === undefined) throw new UserError(`sbatch: printed no job number but ${quoted(output)}`);
        return id;
      } catch (error) {
        if (!(error instanceof Away)) throw this.refusal(error as Error);
        mayBeThere = true;
        await this.waitForController(error.message);
      }
    }
  }

  /** This user's jobs that are not over, or all, by their numbers, with their comments. */
  async ownJobs(states?: 'all'): Promise<Map<string, string>> {
    const filter = states === undefined ? [] : ['-t', states];
    const user = `--user=${userInfo().uid}`;
    const output = await this.ask(['-h', user, ...filter, '-O', 'JobID:20,Comment:200']);
    const jobs = output.split('\n').map((line) => line.trim().split(/\s+/));
    return new Map(jobs.filter(([id]) => id).map(([id, comment = '']) => [id!, comment]));
  }

  /** Lets the time pass in which no job is submitted, as there is no place: until one of ours has ended, or half a minute. */
  async waitForPlace(isOver: () => boolean): Promise<void> {
    const { endings } = this;
    const end = performance.now() + 30 * this.pollMs;
    while (performance.now() < end && this.endings === endings && !isOver()) await wait(this.pollMs);
  }

  /** Asks Slurm to do something with a job. Throws a UserError where it refuses; false: it did not answer. */
  async tell(program: string, args: readonly string[]): Promise<boolean> {
    try {
      await this.attempt(program, args);
      return true;
    } catch (error) {
      if (error instanceof Away) return false;
      throw error;
    }
  }

  /** What squeue prints. Waits, with a line, where it does not answer, for whatever reason: that is no job's fault. */
  private async ask(args: readonly string[]): Promise<string> {
    for (;;) {
      try {
        return await this.attempt('squeue', args);
      } catch (error) {
        if (error instanceof LauncherFault || messageOf(error).includes(UNKNOWN_JOB)) throw error;
        await this.waitForController(messageOf(error));
      }
    }
  }

  private async attempt(program: string, args: readonly string[]): Promise<string> {
    const stdout = await execute(program, args);
    this.outage.end();
    return stdout;
  }

  /** After a command without an answer; less and less often. */
  private waitForController(message: string): Promise<void> {
    return this.outage.wait(message, (away) => Math.min(10 * this.pollMs, Math.max(this.pollMs, away / 10)));
  }

  private async statesOf(ids: readonly string[]): Promise<ReadonlyMap<string, JobState>> {
    this.isAsking = true;
    try {
      const states = parseStates(await this.ask(['-h', '-t', 'all', '-j', ids.join(','), '-O', STATE_FORMAT]));
      if ([...states].some(([id, { state }]) => this.known.get(id)?.state !== state))
        this.changedAt = performance.now();
      this.known = states;
      return states;
    } catch (error) {
      // With one number that it does not know squeue fails, with several it leaves it out.
      if (messageOf(error).includes(UNKNOWN_JOB)) return new Map();
      throw error;
    } finally {
      this.isAsking = false;
      this.askedAt = performance.now();
    }
  }

  /** What the accounting knows of a job that the controller has forgotten, where there is one. */
  private async remembered(id: string): Promise<JobState> {
    try {
      const output = await this.attempt('sacct', ['-n', '-X', '-P', '-j', id, '-o', 'JobID,State,ExitCode,Elapsed']);
      // `CANCELLED by 1000`
      const fields = output
        .trim()
        .replace(/ by \d+/, '')
        .replaceAll('|', ' ');
      const state = parseStates(`${fields} None`).get(id);
      return state && isOver(state) ? state : FORGOTTEN;
    } catch {
      return FORGOTTEN;
    }
  }

  private refusal(error: Error): Error {
    const hasOwn = this.watched.size > 0;
    return full.test(error.message) || (policy.test(error.message) && hasOwn) ? new Full(error.message) : error;
  }
}

async function execute(program: string, args: readonly string[]): Promise<string> {
  try {
    return (await promisify(execFile)(program, args, { timeout: LONGEST_COMMAND, maxBuffer: 1 << 26 })).stdout;
  } catch (error) {
    const { stderr, code, killed } = error as { stderr?: string; code?: string; killed?: boolean };
    if (code === 'ENOENT') throw new LauncherFault(`${program}: not found; "launcher": "slurm" needs Slurm's commands`);
    const message = (stderr || messageOf(error)).trim().replaceAll('\n', '; ');
    throw killed || away.test(message) ? new Away(message) : new UserError(message);
  }
}

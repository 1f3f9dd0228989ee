/** What Slurm says of a job (squeue), and what that means for the trial that it trains. */
import { constants } from 'node:os';
import type { Ending } from './launcher';

export interface JobState {
  /** As squeue names it; UNKNOWN where Slurm has forgotten the job. */
  readonly state: string;
  /** The trainer's status as wait(2) has it: 256 times its exit code, or the number of the signal that ended it. */
  readonly exit: number;
  /** For how long it has run since its last start, without the time in which it was suspended. */
  readonly seconds: number;
  /** Why it waits, or why it failed. */
  readonly reason: string;
  /** Where it is a job of a search. */
  readonly comment?: string;
}

export const FORGOTTEN: JobState = { state: 'UNKNOWN', exit: 0, seconds: 0, reason: 'None' };

/** The fields of a line for `parseStates`. */
export const STATE_FORMAT = 'JobID:20,State:20,exit_code:20,TimeUsed:20,Reason:200,Comment:200';

/** The states of jobs by their numbers, from what squeue prints. */
export function parseStates(output: string): Map<string, JobState> {
  const states = new Map<string, JobState>();
  for (const line of output.split('\n')) {
    const [, id, state, exit, used, reason, comment] =
      /^(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s*(.*?)\s*(distillery:\S+)?\s*$/.exec(line) ?? [];
    if (!id) continue;
    const job = { state: state!, exit: statusOf(exit!), seconds: secondsOf(used!), reason: reason! };
    states.set(id, { ...job, ...(comment && { comment }) });
  }
  return states;
}

/** Newer versions write `1:0`, the exit code and the signal. */
function statusOf(text: string): number {
  const [code = 0, signal] = text.split(':').map(Number);
  return signal === undefined ? code : 256 * code + signal;
}

/** `1-02:03:04`, `02:03` in seconds. */
function secondsOf(time: string): number {
  const [, days = '0', clock = ''] = /^(?:(\d+)-)?([\d:]+)$/.exec(time) ?? [];
  return clock.split(':').reduce((sum, part) => 60 * sum + Number(part), 0) + 86_400 * Number(days);
}

/** States of a job that has not begun, or begins again. */
const waiting = ['PENDING', 'CONFIGURING', 'REQUEUED', 'REQUEUE_FED', 'REQUEUE_HOLD', 'SPECIAL_EXIT', 'RESV_DEL_HOLD'];
/** States of a job that does not come back; the first are no fault of the job. */
const cutShort = ['PREEMPTED', 'TIMEOUT', 'NODE_FAIL', 'BOOT_FAIL', 'DEADLINE', 'REVOKED'];
const over = [...cutShort, 'CANCELLED', 'COMPLETED', 'FAILED', 'OUT_OF_MEMORY', FORGOTTEN.state];

export const isOver = ({ state }: JobState) => over.includes(state);
export const isPending = ({ state }: JobState) => waiting.includes(state);
export const isSuspended = ({ state }: JobState) => ['SUSPENDED', 'STOPPED'].includes(state);

/**
 * What Slurm says of a job whose comment begins so. A controller that is killed forgets the jobs of its last seconds, and gives
 * their numbers to others.
 */
export function stateOfOwn(job: JobState, comment: string): JobState {
  return job.comment === undefined || job.comment.startsWith(comment) ? job : FORGOTTEN;
}

/** What a job that does not run waits for, in words; undefined for one that runs. */
export function waitingFor(job: JobState): string | undefined {
  if (isPending(job)) return job.reason === 'None' ? 'pending' : `pending (${job.reason})`;
  return isSuspended(job) ? 'suspended' : undefined;
}

/** Reasons that do not pass by themselves: the job asks for what there is not, or somebody holds it. */
const hopeless =
  /^(PartitionTimeLimit|PartitionNodeLimit|PartitionConfig|PartitionDown|PartitionInactive|ReqNodeNotAvail|BadConstraints|Invalid(Account|QOS)|JobHeld(User|Admin)|JobHoldMaxRequeue|DependencyNeverSatisfied|AccountNotAllowed|QOSNotAllowed|(Assoc|QOS)Max\w*Per(Job|Node)\w*|QOS(JobLimit|ResourceLimit|TimeLimit)|AssociationJobLimit|.*launch failed requeued held.*)/i;

export const isHopeless = (job: JobState) => isPending(job) && hopeless.test(job.reason);

/** Exit codes of a trainer that was told to end, as shells report them, and the signals themselves. */
const told = new Map((['SIGHUP', 'SIGINT', 'SIGTERM'] as const).map((name) => [constants.signals[name], name]));

/** How a job ended. `log`: what its trainer, and Slurm, said meanwhile. */
export function endingOf(id: string, { state, exit, reason }: JobState, log: string): Ending {
  const how = `Slurm job ${id}: ${state}`;
  if (state === FORGOTTEN.state) return { how: `Slurm no longer knows job ${id}`, isUnseen: true };
  const [code, signal] = [exit >> 8, exit & 127];
  if (cancelledBySlurm(log)) return { how, isCutShort: true, isKilled: true };
  if (state === 'OUT_OF_MEMORY') return { how, isKilled: true, isOutOfMemory: true };
  if (state !== 'FAILED') return { how, isCutShort: cutShort.includes(state), isKilled: state !== 'COMPLETED' };
  const toldBy = told.get(signal) ?? told.get(code - 128);
  if (toldBy !== undefined) return { how: `${how}, ended by ${toldBy}`, isCutShort: true, isKilled: true };
  if (signal === 9 || code === 137) return { how: `${how}, killed, probably out of memory`, isKilled: true };
  return { how: `${how}, ${reason === 'NonZeroExitCode' || reason === 'None' ? `exit code ${code}` : reason}` };
}

/** Whether the last thing that Slurm said of a cancellation is that it was not a user's. */
function cancelledBySlurm(log: string): boolean {
  const last = log.split('\n').findLast((line) => line.includes(' CANCELLED AT '));
  return last !== undefined && /DUE TO (JOB REQUEUE|PREEMPTION|TIME LIMIT|NODE FAILURE)/.test(last);
}

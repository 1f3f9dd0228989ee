/**
 * Threads compared to the cores of this machine: threads without a core of their own spin while they wait for each
 * other.
 */
import { availableParallelism } from 'node:os';
import { UserError } from './errors';
import { counted } from './words';

/** Threads per core above which steps nearly stop. */
const MOST_PER_CORE = 4;

/** Maximum number of threads accepted on this machine. */
export function mostThreads(cores = availableParallelism()): number {
  return MOST_PER_CORE * cores;
}

/**
 * A warning if there are more threads than cores; throws a UserError if there are far more. `what` names file and key,
 * such as `a/params.json: "threads"`.
 */
export function threadsWarning(what: string, threads: number, cores = availableParallelism()): string | undefined {
  const most = mostThreads(cores);
  if (threads > most)
    throw new UserError(`${what} must be at most ${most} (${MOST_PER_CORE} per core), got ${threads}`);
  return threads > cores
    ? `${what} is ${threads}, more than the ${counted(cores, 'core')} of this machine: steps will be slow`
    : undefined;
}

/** Threads for a script that only evaluates: at most one per core, whatever machine the run was trained on. */
export function threadsHere(threads: number, cores = availableParallelism()): number {
  return Math.min(threads, cores);
}

/** Threads beside the cores of this machine: those that have no core wait for each other, spinning. */
import { availableParallelism } from 'node:os';
import { UserError } from './errors';
import { counted } from './words';

/** Threads for each core beyond which steps all but stand still. */
const MOST_PER_CORE = 4;

/** The most threads that are accepted here. */
export function mostThreads(cores = availableParallelism()): number {
  return MOST_PER_CORE * cores;
}

/**
 * A line where there are more threads than cores; a UserError where there are far more. `what` names file and key, as in
 * `a/params.json: "threads"`.
 */
export function threadsWarning(what: string, threads: number, cores = availableParallelism()): string | undefined {
  const most = mostThreads(cores);
  if (threads > most)
    throw new UserError(`${what} must be at most ${most}, ${MOST_PER_CORE} for each core, got ${threads}`);
  return threads > cores
    ? `${what} is ${threads}, more than the ${counted(cores, 'core')} here: steps will be slow`
    : undefined;
}

/** Threads for a script that only evaluates: not more than there are cores, whatever machine the run was trained on. */
export function threadsHere(threads: number, cores = availableParallelism()): number {
  return Math.min(threads, cores);
}

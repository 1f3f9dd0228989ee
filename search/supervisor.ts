/** Watches a run of a search until it is gone, and ends it where there is reason to. */
import type { SearchContext } from './context';
import type { JobTime } from './journal';
import type { Ending, Job } from './launchers/launcher';
import type { SearchState } from './search_state';
import { curveOf, refuseLinks } from './trials/child';
import { RunningTime } from './trials/running_time';

/** Why a run was told to end. */
export type Stop = 'interrupt' | 'pruned' | 'timeout';

/** A repeat of a trial and its directory. */
export interface Run {
  readonly name: string;
  readonly repeat: number;
  /** The directory in that of the search. */
  readonly label: string;
  readonly directory: string;
}

/** The running time of a job is recorded again after this part of the time limit. */
const TIME_STEP = 0.01;

/** Settles when the job is gone; after `asked` epochs it has been seen whether the trial has prospects. */
export async function supervise(
  job: Job,
  { name, repeat, label, directory }: Run,
  asked: number,
  study: SearchState,
  { directory: parent, settings, pollMs, graceMs }: SearchContext,
): Promise<{ stop: Stop | undefined; ending: Ending }> {
  const time = new RunningTime(repeat, study.trials.get(name)!.job);
  let recorded: JobTime | undefined;
  let stop: Stop | undefined;
  let stoppedAt = 0;
  let isKilled = false;
  const end = (why: Stop, signal: 'SIGINT' | 'SIGTERM') => {
    [stop, stoppedAt] = [why, performance.now()];
    job.signal(signal);
  };
  /** Seconds for which the repeat was trained; the journal keeps them where they matter. */
  const takeTime = (isLast: boolean) => {
    const { id, seconds } = job.status();
    if (id === undefined) return time.total;
    const now = time.add(id, seconds);
    const step = settings.trial_timeout === undefined ? Infinity : TIME_STEP * settings.trial_timeout;
    const isDue = recorded?.job !== id || now.total - recorded.total >= step || (isLast && now.total > recorded.total);
    if (isDue && (settings.trial_timeout !== undefined || settings.launcher !== 'local')) {
      study.record({ event: 'job', name, ...now });
      recorded = now;
    }
    return now.total;
  };
  const look = () => {
    refuseLinks(parent, label);
    const curve = curveOf(directory, settings.metric);
    const { waiting } = job.status();
    const seconds = takeTime(false);
    const epochs = curve.length;
    const value = curve.at(-1) ?? NaN;
    const plannedEpochs = study.plannedEpochs(name);
    study.running.set(name, { label, epochs, plannedEpochs, seconds, value, ...(waiting && { waiting }) });
    if (repeat === 0) study.setCurve(name, curve);
    if (stop === 'timeout' && !isKilled && performance.now() - stoppedAt > graceMs) {
      isKilled = true;
      job.signal('SIGKILL');
    }
    if (stop !== undefined) return;
    if (study.isStopping) end('interrupt', 'SIGINT');
    else if (settings.trial_timeout !== undefined && seconds > settings.trial_timeout) end('timeout', 'SIGTERM');
    else if (repeat === 0 && study.shouldPrune(name, asked)) end('pruned', 'SIGINT');
    if (asked === 0 && epochs > 0) study.tellOfTeachers(directory);
    asked = curve.length;
  };
  let trouble: Error | undefined;
  const lookSafely = () => {
    try {
      look();
    } catch (error) {
      trouble ??= error as Error;
      if (stop === undefined) end('interrupt', 'SIGINT');
    }
  };
  lookSafely();
  const timer = setInterval(lookSafely, pollMs);
  const ending = await job.ended.finally(() => {
    clearInterval(timer);
    study.running.delete(name);
  });
  if (trouble !== undefined) throw trouble;
  takeTime(true);
  return { stop, ending };
}

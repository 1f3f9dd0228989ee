/** The trials of a search as its journal tells them. */
import type { Event, JobTime } from '../journal';
import type { Point } from '../space/space';

export type TrialState = 'running' | 'complete' | 'pruned' | 'failed';

export interface Trial {
  readonly name: string;
  /** The number for which the sampler gave the point. */
  readonly number: number;
  readonly params: Point;
  /** The metric of each repeat that has finished. */
  readonly values: readonly number[];
  /** What ended it early, with the metric then. */
  readonly early?: { readonly state: 'pruned' | 'failed'; readonly value: number; readonly reason: string };
  /** Epochs of the repeat that ended last. */
  readonly epochs: number;
  /** The last job, where that was recorded, and for how long it and those before it have trained the repeat. */
  readonly job?: JobTime;
}

export type Trials = ReadonlyMap<string, Trial>;

export function trialsOf(events: readonly Event[]): Trials {
  const trials = new Map<string, Trial>();
  for (const event of events) add(trials, event);
  return trials;
}

/** The trials after a further event. An event of a trial that was never proposed changes nothing. */
export function withEvent(trials: Trials, event: Event): Trials {
  const next = new Map(trials);
  add(next, event);
  return next;
}

function add(trials: Map<string, Trial>, event: Event): void {
  if (event.event === 'search' || event.event === 'imported') return;
  const { name } = event;
  const before = trials.get(name);
  if (event.event === 'proposed') {
    const { trial: number, point: params } = event;
    trials.set(name, { name, number, params, values: [], epochs: 0 });
  } else if (before !== undefined) trials.set(name, after(before, event));
}

function after(trial: Trial, event: Exclude<Event, { event: 'search' | 'imported' | 'proposed' }>): Trial {
  const { name, number, params, values, job } = trial;
  const anew = { name, number, params, values, epochs: trial.epochs };
  // The time of the jobs counts until the trial has failed for good, or its results were lost.
  const rest = { ...anew, ...(job && { job }) };
  if (event.event === 'started') {
    // A repeat that is started again, as its results were lost, and those after it count no more.
    return values.length > event.repeat ? { ...anew, values: values.slice(0, event.repeat) } : rest;
  }
  if (event.event === 'job') {
    const { repeat, job, seconds, total } = event;
    return { ...trial, job: { repeat, job, seconds, total } };
  }
  if (event.event === 'failed') return { ...anew, early: { state: 'failed', value: NaN, reason: event.reason } };
  const { epochs } = event;
  const value = event.value ?? NaN;
  if (event.event === 'pruned')
    return { ...rest, epochs, early: { state: 'pruned', value, reason: event.reason ?? '' } };
  return { ...rest, epochs, values: [...values.slice(0, event.repeat), value] };
}

/** The state of a trial where each has so many repeats; 'running' also means that it is to be started again. */
export function stateOf({ values, early }: Trial, repeats: number): TrialState {
  return early?.state ?? (values.length >= repeats ? 'complete' : 'running');
}

/** The metric of a trial: the mean of its repeats, or what it had when it was pruned; NaN while there is none. */
export function valueOf({ values, early }: Trial): number {
  return early?.value ?? values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** What a search knows: its trials as the journal has them, their curves, what runs, and what that comes to. */
import { join } from 'node:path';
import { formatDuration } from '../utils/progress';
import { counted } from '../utils/words';
import type { SearchContext } from './context';
import type { Event } from './journal';
import type { Running, Snapshot } from './snapshot';
import { curveOf, teacherLines } from './trials/child';
import { lostRepeat, withoutLost } from './trials/lost_results';
import { TrialHistory } from './trials/trial_history';
import { trialsOf, valueOf, type Trial, type Trials, type TrialState } from './trials/trials';

export class SearchState {
  /** Runs under way by the names of their trials. */
  readonly running = new Map<string, Running>();
  /** Trials that have failed for good since this start. */
  readonly failed = new Set<string>();
  /** What ends the search. */
  fault: Error | undefined;
  /** Teachers of which it was said how often they agree with the labels. */
  private readonly teachers = new Set<string>();
  private readonly history: TrialHistory;
  private readonly durations: number[] = [];

  constructor(private readonly context: SearchContext) {
    const { settings, events, directory } = context;
    this.history = new TrialHistory(settings, trialsOf(events));
    this.forgetLost();
    for (const trial of this.trials.values()) {
      if (this.isOver(trial)) this.setCurve(trial.name, curveOf(join(directory, trial.name), settings.metric));
    }
  }

  get trials(): Trials {
    return this.history.trials;
  }

  /** Says once of each teacher how often it agrees with the labels, as the log of a run has it. */
  tellOfTeachers(directory: string): void {
    for (const { teacher, isWarning, line } of teacherLines(directory)) {
      if (this.teachers.has(teacher)) continue;
      this.teachers.add(teacher);
      this.context.log[isWarning ? 'warn' : 'info'](line);
    }
  }

  /** Whether there is nothing left to do; one that has failed gets another chance at the next start. */
  isOver(trial: Trial): boolean {
    return ['complete', 'pruned'].includes(this.state(trial));
  }

  /** Complete trials whose results are gone; they count as begun from now on. */
  forgetLost(): Trial[] {
    const { directory, settings, log } = this.context;
    const { trials, lost } = withoutLost(this.trials, directory, settings.repeats);
    this.history.trials = trials;
    for (const name of lost) log.warn(`${join(directory, name)}: its results are missing; the trial runs again`);
    return lost.map((name) => trials.get(name)!);
  }

  snapshot(): Snapshot {
    const { settings, parallel } = this.context;
    const trials = [...this.trials.values()];
    const count = (state: TrialState) => trials.filter((trial) => this.state(trial) === state).length;
    const counts = {
      complete: count('complete'),
      pruned: count('pruned'),
      failed: this.failed.size,
      running: this.running.size,
    };
    const best = this.best();
    const left = settings.n_trials - counts.complete - counts.pruned - counts.failed;
    const mean = this.durations.reduce((sum, seconds) => sum + seconds, 0) / this.durations.length;
    return {
      running: [...this.running.values()],
      counts,
      total: settings.n_trials,
      ...(best && { best }),
      ...(this.durations.length > 0 && { secondsLeft: (mean * left) / Math.min(parallel, Math.max(left, 1)) }),
    };
  }

  get isStopping(): boolean {
    const { interrupt, settings } = this.context;
    return interrupt.requested || this.fault !== undefined || this.failed.size > settings.max_failures;
  }

  /** An event that cannot be written ends the search. */
  record(event: Event): void {
    try {
      this.context.append(event);
    } catch (error) {
      this.fault ??= error as Error;
      throw error;
    }
    this.history.add(event);
    if (event.event === 'failed') this.failed.add(event.name);
  }

  /** The metric after each epoch of a trial's first repeat. */
  setCurve(name: string, curve: readonly number[]): void {
    this.history.setCurve(name, curve);
  }

  /** Whether a trial has no prospects; after `asked` epochs that has been seen to. */
  shouldPrune(name: string, asked: number): boolean {
    return this.history.shouldPrune(name, asked);
  }

  /** Says how a trial ended, after so many seconds. */
  report(name: string, seconds: number): void {
    this.durations.push(seconds);
    const trial = this.trials.get(name)!;
    const { counts, total, best, secondsLeft } = this.snapshot();
    const { log, settings } = this.context;
    const state = this.state(trial);
    const done = counts.complete + counts.pruned + counts.failed;
    const result = {
      complete: `${settings.metric} ${valueOf(trial).toFixed(4)}`,
      pruned: `pruned after ${counted(trial.epochs, 'epoch')}, ${trial.early?.reason || `${settings.metric} ${valueOf(trial).toFixed(4)}`}`,
      failed: `failed: ${trial.early?.reason}`,
      running: 'continues',
    }[state];
    const rest = [
      formatDuration(seconds),
      ...(best ? [`best ${best.value.toFixed(4)} of ${best.name}`] : []),
      ...(done < total && secondsLeft !== undefined ? [`about ${formatDuration(secondsLeft)} left`] : []),
    ];
    log[state === 'failed' ? 'error' : 'info'](`[${done}/${total}] ${trial.name}: ${result} (${rest.join(', ')})`);
  }

  plannedEpochs(name: string): number {
    const { params } = this.context;
    const epochs = this.trials.get(name)!.params.num_epochs ?? params.num_epochs;
    return typeof epochs === 'number' ? epochs : 0;
  }

  /** The complete trial with the best value whose directory is still there. */
  private best(): Snapshot['best'] {
    const ranked = this.history.ranked();
    const found = ranked.find(({ trial }) => lostRepeat(trial, this.context.directory) === undefined);
    return found && { name: found.trial.name, value: found.value };
  }

  private state(trial: Trial): TrialState {
    return this.history.state(trial);
  }
}

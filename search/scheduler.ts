/** Runs a search: proposes trials, keeps as many running as may run, stops those without prospects, and goes on. */
import { join } from 'node:path';
import pLimit from 'p-limit';
import { isSystemError, messageOf, UserError } from '../utils/errors';
import type { Interrupt } from '../utils/interrupt';
import { lockState } from '../utils/lock';
import type { Log } from '../utils/logger';
import { formatDuration } from '../utils/progress';
import { curveOf, divergenceOf, isFinished, lastWords, prepareChild, scoreOf } from './child';
import { childParams } from './child_params';
import type { Event } from './journal';
import type { Ending, Job, Launcher } from './launchers/launcher';
import { Proposals } from './proposals';
import { createPruner, pruningEpoch, type Curve, type Pruner } from './pruners';
import type { Settings } from './settings';
import { stateOf, trialsOf, valueOf, withEvent, type Trial, type Trials, type TrialState } from './trials';

export interface SearchContext {
  /** The parent: children are directories in it. */
  readonly directory: string;
  /** Content of the parent's params.json. */
  readonly params: Readonly<Record<string, unknown>>;
  readonly settings: Settings;
  /** Trials at a time. */
  readonly parallel: number;
  /** What the journal holds, and what adds to it. */
  readonly events: readonly Event[];
  readonly append: (event: Event) => void;
  readonly launcher: Launcher;
  readonly log: Log;
  readonly interrupt: Interrupt;
  /** Is shown how things stand, again and again. */
  readonly show: (snapshot: Snapshot) => void;
  /** Milliseconds between two looks at the children, and from SIGTERM to SIGKILL. */
  readonly pollMs: number;
  readonly graceMs: number;
}

/** A run under way. */
export interface Running {
  readonly label: string;
  readonly epochs: number;
  readonly plannedEpochs: number;
  readonly seconds: number;
  /** The metric after the last epoch; NaN before the first. */
  readonly value: number;
}

export interface Snapshot {
  readonly running: readonly Running[];
  readonly counts: Readonly<Record<TrialState, number>>;
  readonly total: number;
  readonly best?: { readonly name: string; readonly value: number };
  readonly secondsLeft?: number;
}

/** Why a run was told to end. */
type Stop = 'interrupt' | 'pruned' | 'timeout';

export class Search {
  private trials: Trials;
  private readonly proposals: Proposals;
  private readonly pruner: Pruner;
  private readonly unfinished: Trial[];
  private readonly curves = new Map<string, number[]>();
  private readonly running = new Map<string, Running>();
  private readonly failed = new Set<string>();
  private readonly durations: number[] = [];
  private fault: Error | undefined;

  constructor(private readonly context: SearchContext) {
    const { settings, events, directory } = context;
    this.trials = trialsOf(events);
    this.proposals = new Proposals(settings, this.trials);
    this.pruner = createPruner(settings.pruner, settings.seed);
    const known = [...this.trials.values()];
    this.unfinished = known.filter((trial) => ['running', 'failed'].includes(this.state(trial)));
    for (const trial of known) {
      const isOver = !this.unfinished.includes(trial);
      if (isOver) this.curves.set(trial.name, curveOf(join(directory, trial.name), settings.metric));
    }
  }

  /**
   * Runs what is left of the search; returns early, with every child saved, where an interrupt was requested. Throws a
   * UserError when more than `max_failures` trials have failed.
   */
  async run(): Promise<void> {
    const { settings, parallel, show, pollMs } = this.context;
    const { complete, pruned } = this.snapshot().counts;
    const limit = pLimit(parallel);
    const timer = setInterval(() => show(this.snapshot()), pollMs);
    const tasks = Array.from({ length: settings.trials - complete - pruned }, () => limit(() => this.runNext()));
    await Promise.all(tasks);
    clearInterval(timer);
    show(this.snapshot());
    if (this.fault !== undefined) throw this.fault;
    if (this.failed.size > settings.max_failures) {
      throw new UserError(
        `${this.context.directory}: ${this.failed.size} trials failed, "max_failures" is ${settings.max_failures}; ` +
          `when what ails them is mended, the same command goes on`,
      );
    }
  }

  snapshot(): Snapshot {
    const { settings, parallel } = this.context;
    const counts = { complete: 0, pruned: 0, failed: 0, running: this.running.size };
    let best: Snapshot['best'];
    for (const trial of this.trials.values()) {
      const state = this.state(trial);
      if (state !== 'running') counts[state]++;
      const value = valueOf(trial);
      if (state !== 'complete' || Number.isNaN(value)) continue;
      if (best === undefined || this.gain(value) > this.gain(best.value)) best = { name: trial.name, value };
    }
    const left = settings.trials - counts.complete - counts.pruned - counts.failed;
    const mean = this.durations.reduce((sum, seconds) => sum + seconds, 0) / this.durations.length;
    return {
      running: [...this.running.values()],
      counts,
      total: settings.trials,
      ...(best && { best }),
      ...(this.durations.length > 0 && { secondsLeft: (mean * left) / Math.min(parallel, Math.max(left, 1)) }),
    };
  }

  private get isStopping(): boolean {
    const { interrupt, settings } = this.context;
    return interrupt.requested || this.fault !== undefined || this.failed.size > settings.max_failures;
  }

  private async runNext(): Promise<void> {
    if (this.isStopping) return;
    try {
      const trial = this.unfinished.shift() ?? this.propose();
      if (trial) await this.runTrial(trial);
    } catch (error) {
      this.fault ??= error as Error;
    }
  }

  private propose(): Trial | undefined {
    const proposal = this.proposals.next(this.trials);
    if (proposal === undefined) return undefined;
    this.record(proposal);
    return this.trials.get(proposal.name);
  }

  /** Runs the repeats of a trial that are left, one after another. */
  private async runTrial({ name, point, values }: Trial): Promise<void> {
    const { directory, params, settings, log } = this.context;
    const began = performance.now();
    const source = join(directory, 'params.json');
    for (let repeat = values.length; repeat < settings.repeats; repeat++) {
      const child = repeat === 0 ? join(directory, name) : join(directory, name, `repeat_${repeat}`);
      let outcome: Event | undefined;
      try {
        const own = { ...childParams(params, point, source), ...this.threads() };
        prepareChild(child, repeat === 0 ? own : { ...own, seed: seedOf(own) + repeat });
        outcome = await this.runRepeat(name, repeat, child);
      } catch (error) {
        const isOfTrial = error instanceof UserError || isSystemError(error);
        if (!isOfTrial || this.fault !== undefined) throw error;
        outcome = { event: 'failed', name, repeat, reason: messageOf(error) };
      }
      if (outcome === undefined) return;
      if (outcome.event === 'failed') this.failed.add(name);
      this.record(outcome);
      if (outcome.event !== 'finished') break;
    }
    const seconds = (performance.now() - began) / 1000;
    this.durations.push(seconds);
    this.report(this.trials.get(name)!, seconds, log);
  }

  /** Runs a repeat until it is finished, pruned, or has failed for good; undefined: it was interrupted. */
  private async runRepeat(name: string, repeat: number, child: string): Promise<Event | undefined> {
    const { settings, launcher, log } = this.context;
    for (let attempt = 0; ;) {
      if (isFinished(child)) return this.finished(name, repeat, child);
      const asked = curveOf(child, settings.metric).length;
      const left = await launcher.resume(child);
      this.record({ event: 'started', name, repeat });
      log.info(`${left ? 'Already running' : 'Starting'}: ${child}`);
      const job = left ?? (await launcher.launch(child));
      const { stop, ending } = await this.attend(job, name, repeat, child, asked);
      if (isFinished(child)) continue;
      if (stop === 'pruned') {
        const { epochs, value } = lastOf(curveOf(child, settings.metric));
        return { event: 'pruned', name, repeat, value: finite(value), epochs };
      }
      if (stop === 'interrupt') return undefined;
      if (stop === 'timeout') return { event: 'failed', name, repeat, reason: `timeout after ${settings.timeout} s` };
      // A process that began before had the lock, or one that we only watched has gone: look again.
      if (left || lockState(child) === 'held') continue;
      const diverged = divergenceOf(child);
      if (diverged !== undefined) {
        const { epochs } = lastOf(curveOf(child, settings.metric));
        return { event: 'pruned', name, repeat, value: null, epochs, reason: diverged };
      }
      if (ending.isCutShort && curveOf(child, settings.metric).length > asked) continue;
      const reason = (!ending.isKilled && lastWords(child)) || ending.how;
      if (this.isStopping) return undefined;
      if (attempt++ >= settings.retries) return { event: 'failed', name, repeat, reason };
      log.warn(`Failed, starting again: ${child}: ${reason}`);
    }
  }

  /** Watches a job until it is gone, and ends it where there is reason to; after `asked` epochs that has been seen to. */
  private async attend(
    job: Job,
    name: string,
    repeat: number,
    child: string,
    asked: number,
  ): Promise<{ stop: Stop | undefined; ending: Ending }> {
    const { settings, pollMs, graceMs } = this.context;
    let began = performance.now();
    let stop: Stop | undefined;
    let stoppedAt = 0;
    let isKilled = false;
    const end = (why: Stop, signal: 'SIGINT' | 'SIGTERM') => {
      [stop, stoppedAt] = [why, performance.now()];
      job.signal(signal);
    };
    const look = () => {
      const curve = curveOf(child, settings.metric);
      if (job.isWaiting()) began = performance.now();
      const seconds = (performance.now() - began) / 1000;
      const label = repeat === 0 ? name : join(name, `repeat_${repeat}`);
      const { epochs, value } = lastOf(curve);
      this.running.set(name, { label, epochs, plannedEpochs: this.plannedEpochs(name), seconds, value });
      if (repeat === 0) this.curves.set(name, curve);
      if (stop === 'timeout' && !isKilled && performance.now() - stoppedAt > graceMs) {
        isKilled = true;
        job.signal('SIGKILL');
      }
      if (stop !== undefined) return;
      if (this.isStopping) end('interrupt', 'SIGINT');
      else if (settings.timeout !== undefined && seconds > settings.timeout) end('timeout', 'SIGTERM');
      else if (repeat === 0 && this.prunes(name, asked)) end('pruned', 'SIGINT');
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
      this.running.delete(name);
    });
    if (trouble !== undefined) throw trouble;
    return { stop, ending };
  }

  private finished(name: string, repeat: number, child: string): Event {
    const { metric } = this.context.settings;
    const { value, epochs } = scoreOf(child, metric);
    if (repeat === 0) this.curves.set(name, curveOf(child, metric));
    return { event: 'finished', name, repeat, value: finite(value), epochs };
  }

  private prunes(name: string, asked: number): boolean {
    const curves = [...this.trials.values()].map((trial): Curve => ({
      trial: trial.trial,
      values: (this.curves.get(trial.name) ?? []).map((value) => this.gain(value)),
      state: this.state(trial),
    }));
    const index = [...this.trials.keys()].indexOf(name);
    const others = curves.filter((_, i) => i !== index);
    return pruningEpoch(this.pruner, { ...curves[index]!, state: 'running' }, asked, others) !== undefined;
  }

  /** An event that cannot be written ends the search. */
  private record(event: Event): void {
    try {
      this.context.append(event);
    } catch (error) {
      this.fault ??= error as Error;
      throw error;
    }
    this.trials = withEvent(this.trials, event);
  }

  private report(trial: Trial, seconds: number, log: Log): void {
    const { counts, total, best, secondsLeft } = this.snapshot();
    const { metric } = this.context.settings;
    const state = this.state(trial);
    const done = counts.complete + counts.pruned + counts.failed;
    const result = {
      complete: `${metric} ${valueOf(trial).toFixed(4)}`,
      pruned: `pruned after ${trial.epochs} epochs, ${trial.early?.reason || `${metric} ${valueOf(trial).toFixed(4)}`}`,
      failed: `failed: ${trial.early?.reason}`,
      running: 'goes on',
    }[state];
    const rest = [
      formatDuration(seconds),
      ...(best ? [`best ${best.value.toFixed(4)} of ${best.name}`] : []),
      ...(done < total && secondsLeft !== undefined ? [`about ${formatDuration(secondsLeft)} left`] : []),
    ];
    log[state === 'failed' ? 'error' : 'info'](`[${done}/${total}] ${trial.name}: ${result} (${rest.join(', ')})`);
  }

  private state(trial: Trial): TrialState {
    return stateOf(trial, this.context.settings.repeats);
  }

  /** A value of the metric such that more is better. */
  private gain(value: number): number {
    return this.context.settings.goal === 'minimize' ? -value : value;
  }

  private plannedEpochs(name: string): number {
    const { params } = this.context;
    const epochs = this.trials.get(name)!.point.num_epochs ?? params.num_epochs;
    return typeof epochs === 'number' ? epochs : 0;
  }

  /** The trial's threads, unless they are what is searched. */
  private threads(): { threads?: number } {
    const { space, threads_per_trial: threads } = this.context.settings;
    return space.some(({ path }) => path === 'threads') ? {} : { threads };
  }
}

/** The seed of a params.json, with the trainer's default. */
function seedOf(params: Readonly<Record<string, unknown>>): number {
  return typeof params.seed === 'number' ? params.seed : 230;
}

function lastOf(curve: readonly number[]): { epochs: number; value: number } {
  return { epochs: curve.length, value: curve.at(-1) ?? NaN };
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

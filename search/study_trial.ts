/** A trial of a study: its parameters, what it reports on the way, and whether it should go on. */
import { UserError } from '../utils/errors';
import { show } from '../utils/json';
import type { ParamsOf } from './space/typed_space';
import type { TrialHistory } from './trials/trial_history';
import { valueOf, type Trial, type TrialState } from './trials/trials';

/** A trial of a study. */
export class StudyTrial<Space> {
  private steps = 0;
  private isPruned = false;

  /** Called by `study.ask()`. */
  constructor(
    private readonly history: TrialHistory,
    private readonly name: string,
    /** How many trials were asked for before it. */
    readonly number: number,
  ) {}

  /** The parameters to run it with. */
  get params(): ParamsOf<Space> {
    return this.trial.params as ParamsOf<Space>;
  }

  /** `'running'` until the study is told how it went. */
  get state(): TrialState {
    return this.history.state(this.trial);
  }

  /** The value that the study was told, or the last reported one of a pruned trial; NaN where there is none. */
  get value(): number {
    return valueOf(this.trial);
  }

  /**
   * Reports a value on the way, for the pruner. `step` counts 1, 2, 3, … (epochs, as the options of pruners do). A value of NaN
   * means that the trial has diverged. Throws a UserError for another step and for a trial that has ended.
   */
  report(step: number, value: number): void {
    const curve = this.history.curve(this.name);
    if (this.state !== 'running') throw new UserError(`trial.report: trial ${this.number} has ended: ${this.state}`);
    if (step !== curve.length + 1)
      throw new UserError(`trial.report: step must be ${curve.length + 1}, got ${show(step)}`);
    if (typeof value !== 'number') throw new UserError(`trial.report: value must be a number, got ${show(value)}`);
    this.history.setCurve(this.name, [...curve, value]);
  }

  /** Whether the pruner stops it, after what it and the other trials have reported; once true it stays so. */
  shouldPrune(): boolean {
    this.isPruned ||= this.history.shouldPrune(this.name, this.steps);
    this.steps = this.history.curve(this.name).length;
    return this.isPruned;
  }

  private get trial(): Trial {
    return this.history.trials.get(this.name)!;
  }
}

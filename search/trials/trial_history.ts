/** The trials of a search or a study with their curves, and what the pruner makes of them. */
import type { Event } from '../journal';
import { createPruner, pruningEpoch, type Curve, type Pruner } from '../pruners';
import type { Settings } from '../settings/settings';
import { stateOf, valueOf, withEvent, type Trial, type Trials, type TrialState } from './trials';

export class TrialHistory {
  private readonly pruner: Pruner;
  private readonly curves = new Map<string, readonly number[]>();

  constructor(
    private readonly settings: Settings,
    public trials: Trials,
  ) {
    this.pruner = createPruner(settings.pruner, settings.seed);
  }

  add(event: Event): void {
    this.trials = withEvent(this.trials, event);
  }

  state(trial: Trial): TrialState {
    return stateOf(trial, this.settings.repeats);
  }

  /** Sets the metric after each epoch of a trial's first repeat. */
  setCurve(name: string, curve: readonly number[]): void {
    this.curves.set(name, curve);
  }

  /** The metric after each epoch of a trial's first repeat, as far as it is known. */
  curve(name: string): readonly number[] {
    return this.curves.get(name) ?? [];
  }

  /** Whether the pruner stops a trial at one of the epochs after `asked`, at which it was asked last. */
  shouldPrune(name: string, asked: number): boolean {
    const curves = [...this.trials.values()].map((trial): Curve => ({
      number: trial.number,
      values: this.curve(trial.name).map((value) => this.gain(value)),
      state: this.state(trial),
    }));
    const index = [...this.trials.keys()].indexOf(name);
    const others = curves.filter((_, i) => i !== index);
    return pruningEpoch(this.pruner, { ...curves[index]!, state: 'running' }, asked, others) !== undefined;
  }

  /** The complete trials that have a value, the best first. */
  ranked(): { readonly trial: Trial; readonly value: number }[] {
    return [...this.trials.values()]
      .filter((trial) => this.state(trial) === 'complete')
      .map((trial) => ({ trial, value: valueOf(trial) }))
      .filter(({ value }) => !Number.isNaN(value))
      .sort((a, b) => this.gain(b.value) - this.gain(a.value));
  }

  /** A value of the metric such that more is better. */
  private gain(value: number): number {
    return this.settings.direction === 'minimize' ? -value : value;
  }
}

/** How a search stands at one moment. */
import type { TrialState } from './trials/trials';

/** A run under way. */
export interface Running {
  readonly label: string;
  readonly epochs: number;
  readonly plannedEpochs: number;
  readonly seconds: number;
  /** Why it does not run, as its launcher says; absent while it does. */
  readonly waiting?: string;
  /** The metric after the last epoch; NaN before the first. */
  readonly value: number;
}

export interface Snapshot {
  readonly running: readonly Running[];
  /** `failed`: for good, since this start; those of before get another chance. */
  readonly counts: Readonly<Record<TrialState, number>>;
  /** Trials that other machines work on. */
  readonly elsewhere?: number;
  readonly total: number;
  readonly best?: { readonly name: string; readonly value: number };
  readonly secondsLeft?: number;
}

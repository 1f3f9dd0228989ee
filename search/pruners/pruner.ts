/** What stops trials early. */
import type { Schema } from '../../utils/schema';

/** What a trial has reported. */
export interface Curve {
  readonly number: number;
  /** The metric after each epoch, from the first on; the larger the better. */
  readonly values: readonly number[];
  readonly state: 'running' | 'complete' | 'pruned' | 'failed';
}

export interface Pruner {
  /** Whether a trial stops after the last epoch of its curve, given those of all others. Asked once after each epoch. */
  shouldPrune(trial: Curve, others: readonly Curve[]): boolean;
}

/** A kind of pruner, as search.json names it. */
export interface PrunerKind<Options> {
  /** The schemas of its options; those without a default may be absent. */
  readonly options: Readonly<Record<keyof Options, Schema>>;
  /** `seed` is that of the search. */
  create(options: Options, seed: number): Pruner;
}

/** Whether the last value is not a number: nothing good comes after that. */
export function hasDiverged({ values }: Curve): boolean {
  return Number.isNaN(values.at(-1));
}

/** The number of epochs of the longest complete trial; undefined while there is none. */
export function longestComplete(curves: readonly Curve[]): number | undefined {
  const lengths = curves.filter(({ state }) => state === 'complete').map(({ values }) => values.length);
  return lengths.length === 0 ? undefined : lengths.reduce((a, b) => Math.max(a, b));
}

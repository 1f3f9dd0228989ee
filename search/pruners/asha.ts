/**
 * Asynchronous successive halving (Li and others 2020, "A system for massively parallel hyperparameter tuning"), in
 * Optuna's form, which stops trials instead of pausing them: at the epochs r, r·η, r·η², …, the rungs, a trial goes on
 * if it is in the best 1/η of all that have reached the rung so far.
 */
import { hasDiverged, longestComplete, type Curve, type Pruner, type PrunerKind } from './pruner';

export type AshaOptions = {
  /** r. Absent: a hundredth of the longest complete trial, and nothing is stopped before there is one. */
  readonly min_epochs?: number;
  /** η */
  readonly reduction_factor: number;
};

export const asha: PrunerKind<AshaOptions> = {
  options: {
    min_epochs: { type: 'integer', minimum: 1 },
    reduction_factor: { type: 'integer', minimum: 2, default: 4 },
  },
  create: ({ min_epochs, reduction_factor }) => ({
    shouldPrune: (trial, others) => {
      if (hasDiverged(trial)) return true;
      const longest = longestComplete(others);
      const first = min_epochs ?? (longest === undefined ? undefined : Math.max(1, Math.floor(longest / 100)));
      return first !== undefined && halving(first, reduction_factor).shouldPrune(trial, others);
    },
  }),
};

/** Successive halving with its first rung at epoch `first`. */
export function halving(first: number, factor: number): Pruner {
  return {
    shouldPrune: (trial, others) => {
      if (hasDiverged(trial)) return true;
      const epoch = trial.values.length;
      if (!isRung(epoch, first, factor)) return false;
      const value = trial.values[epoch - 1]!;
      const rivals = others
        .map(({ values }: Curve) => values[epoch - 1] ?? NaN)
        .filter((rival) => !Number.isNaN(rival));
      // Of fewer than η only the best goes on.
      const places = Math.max(1, Math.floor((rivals.length + 1) / factor));
      return rivals.filter((rival) => rival > value).length >= places;
    },
  };
}

function isRung(epoch: number, first: number, factor: number): boolean {
  let rung = first;
  while (rung < epoch) rung *= factor;
  return rung === epoch;
}

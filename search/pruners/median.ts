/**
 * The median rule (Golovin and others 2017, "Google Vizier"): a trial stops where the best that it has reached is below
 * the median of what the complete trials had at the same epoch.
 */
import { median as medianOf } from '../../utils/median';
import { hasDiverged, type PrunerKind } from './pruner';

export type MedianOptions = {
  /** Complete trials before the first is stopped. */
  readonly startup_trials: number;
  /** Epochs of each trial after which it cannot be stopped yet. */
  readonly warmup_epochs: number;
};

export const median: PrunerKind<MedianOptions> = {
  options: {
    startup_trials: { type: 'integer', minimum: 1, default: 5 },
    warmup_epochs: { type: 'integer', minimum: 0, default: 0 },
  },
  create: ({ startup_trials, warmup_epochs }) => ({
    shouldPrune: (trial, others) => {
      if (hasDiverged(trial)) return true;
      const epoch = trial.values.length;
      const complete = others.filter(({ state }) => state === 'complete');
      if (epoch <= warmup_epochs || complete.length < startup_trials) return false;
      const rivals = complete.map(({ values }) => values[epoch - 1] ?? NaN).filter((value) => !Number.isNaN(value));
      const best = Math.max(...trial.values.filter((value) => !Number.isNaN(value)));
      return rivals.length > 0 && best < medianOf(rivals);
    },
  }),
};

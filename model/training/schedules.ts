/** The learning rate of an epoch, a function of the epochs before it. */
import type { Schedule } from '../experiment/params';
import type { EpochRecord } from '../../runs/metrics';

/** Where training stands at the beginning of an epoch. */
export interface Progress {
  /** From 1. */
  readonly epoch: number;
  /** Epochs that are planned. */
  readonly epochs: number;
  /** The epochs before this one. */
  readonly history: readonly Pick<EpochRecord, 'val'>[];
}

/** The learning rate of an epoch, which is `base` unless the schedule says otherwise. */
export function learningRate(schedule: Schedule, base: number, { epoch, epochs, history }: Progress): number {
  switch (schedule.type) {
    case 'constant':
      return base;
    case 'step':
      return base * schedule.gamma ** Math.floor((epoch - 1) / schedule.step_size);
    case 'multistep':
      return base * schedule.gamma ** schedule.milestones.filter((milestone) => milestone < epoch).length;
    case 'cosine':
      return cosine(schedule, base, epoch, epochs);
    case 'plateau':
      return afterPlateaus(schedule, base, history);
  }
}

/**
 * Linear warm-up over W epochs (Goyal et al. 2017), then half a period of a cosine (Loshchilov & Hutter 2017).
 *   epoch ≤ W: base · epoch / (W + 1);   after it: min + (base − min) · (1 + cos(π (epoch − 1 − W) / (epochs − W))) / 2
 */
function cosine(
  { warmup_epochs: warmup, min_learning_rate: min }: Schedule & { type: 'cosine' },
  base: number,
  epoch: number,
  epochs: number,
): number {
  if (epoch <= warmup) return (base * epoch) / (warmup + 1);
  return min + ((base - min) * (1 + Math.cos((Math.PI * (epoch - 1 - warmup)) / (epochs - warmup)))) / 2;
}

/**
 * Multiplied by `factor`, down to a minimum, each time that the validation metric has not become better by the share
 * `threshold` for more than `patience` epochs, as PyTorch's ReduceLROnPlateau.
 */
function afterPlateaus(
  { metric, factor, patience, threshold, min_learning_rate: min }: Schedule & { type: 'plateau' },
  base: number,
  history: Progress['history'],
): number {
  const isBetter = (value: number, best: number) =>
    metric === 'loss' ? value < best * (1 - threshold) : value > best * (1 + threshold);
  let rate = base;
  let best = metric === 'loss' ? Infinity : -Infinity;
  let waited = 0;
  for (const { val } of history) {
    const value = val[metric];
    waited++;
    // A metric that is not finite comes back from a checkpoint as null.
    if (Number.isFinite(value) && isBetter(value, best)) {
      best = value;
      waited = 0;
    }
    if (waited > patience) {
      rate = Math.max(rate * factor, min);
      waited = 0;
    }
  }
  return rate;
}

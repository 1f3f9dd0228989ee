/** The learning rate schedules: the rate of an epoch is a function of the earlier epochs. */
import type { EpochRecord } from '../../runs/metrics';
import { belowOne, fromZero, integer, integers, number, oneOf, part, partOrAll } from '../../utils/schema_forms';
import type { Options } from '../../utils/schema_forms';

/** The position of training at the beginning of an epoch. */
export interface Progress {
  /** From 1. */
  readonly epoch: number;
  /** Planned epochs. */
  readonly epochs: number;
  /** The records of the earlier epochs. */
  readonly history: readonly Pick<EpochRecord, 'val'>[];
}

export interface ScheduleEntry<Own extends object = object> {
  /** A JSON schema for each option, for a run whose `learning_rate` is `base`; one without a default must be given. */
  options(base: number): Options;
  /** Whether it is stretched over the planned epochs. */
  readonly isStretched?: boolean;
  /** The learning rate of an epoch. */
  rate(own: Own, base: number, progress: Progress): number;
}

/** A rate that is at most the initial one, if known. */
const lowestRate = (base: number, title: string) =>
  number({ ...fromZero, ...(Number.isFinite(base) && { maximum: base }), default: 0, title });
const gamma = number({ ...partOrAll, title: 'Factor of the learning rate.' });

const step: ScheduleEntry<{ readonly step_size: number; readonly gamma: number }> = {
  options: () => ({ step_size: integer({ minimum: 1, title: 'Epochs between two steps.' }), gamma }),
  rate: (own, base, { epoch }) => base * own.gamma ** Math.floor((epoch - 1) / own.step_size),
};

const multistep: ScheduleEntry<{ readonly milestones: readonly number[]; readonly gamma: number }> = {
  options: () => ({ milestones: integers({ title: 'Epochs after which the rate changes.' }), gamma }),
  rate: (own, base, { epoch }) => base * own.gamma ** own.milestones.filter((milestone) => milestone < epoch).length,
};

/**
 * Linear warm-up over W epochs (Goyal et al. 2017), then half a period of a cosine (Loshchilov & Hutter 2017).
 *   epoch ≤ W: base · epoch / (W + 1);   after it: min + (base − min) · (1 + cos(π (epoch − 1 − W) / (epochs − W))) / 2
 */
const cosine: ScheduleEntry<{ readonly warmup_epochs: number; readonly min_learning_rate: number }> = {
  options: (base) => ({
    warmup_epochs: integer({ ...fromZero, default: 0, title: 'Epochs in which the rate rises from 0.' }),
    min_learning_rate: lowestRate(base, 'Learning rate that the schedule does not go below.'),
  }),
  isStretched: true,
  rate({ warmup_epochs: warmup, min_learning_rate: min }, base, { epoch, epochs }) {
    if (epoch <= warmup) return (base * epoch) / (warmup + 1);
    return min + ((base - min) * (1 + Math.cos((Math.PI * (epoch - 1 - warmup)) / (epochs - warmup)))) / 2;
  },
};

interface PlateauOptions {
  readonly metric: 'loss' | 'accuracy';
  readonly factor: number;
  readonly patience: number;
  readonly threshold: number;
  readonly min_learning_rate: number;
}

/**
 * Multiplies by `factor`, down to a minimum, whenever the validation metric has not improved by the fraction
 * `threshold` for more than `patience` epochs, as in PyTorch's ReduceLROnPlateau.
 */
const plateau: ScheduleEntry<PlateauOptions> = {
  options: (base) => ({
    metric: oneOf(['loss', 'accuracy'], { default: 'loss', title: 'Validation metric that is watched.' }),
    factor: number({ ...part, default: 0.1, title: 'Factor of the learning rate.' }),
    patience: integer({ ...fromZero, default: 10, title: 'Epochs without improvement before the rate changes.' }),
    threshold: number({ ...belowOne, default: 1e-4, title: 'Relative improvement that counts.' }),
    min_learning_rate: lowestRate(base, 'Learning rate that the schedule does not go below.'),
  }),
  rate({ metric, factor, patience, threshold, min_learning_rate: min }, base, { history }) {
    const isBetter = (value: number, best: number) =>
      metric === 'loss' ? value < best * (1 - threshold) : value > best * (1 + threshold);
    let rate = base;
    let best = metric === 'loss' ? Infinity : -Infinity;
    let waited = 0;
    for (const { val } of history) {
      const value = val[metric] ?? NaN;
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
  },
};

const constant: ScheduleEntry = { options: () => ({}), rate: (_, base) => base };

const entries = { step, multistep, cosine, plateau, constant };

type Entries = typeof entries;
type OptionsOf<Entry> = Entry extends ScheduleEntry<infer Own> ? Own : never;

/** `schedule` of params.json, filled: a type and its options. */
export type Schedule = { [Type in keyof Entries]: { readonly type: Type } & OptionsOf<Entries[Type]> }[keyof Entries];

/** The schedules by the type that params.json calls them. */
export const schedules: Readonly<Record<keyof Entries, ScheduleEntry>> = entries;

/** The learning rate of an epoch, for a run whose `learning_rate` is `base`. */
export function learningRate(schedule: Schedule, base: number, progress: Progress): number {
  return schedules[schedule.type].rate(schedule, base, progress);
}

/** What a run tells of itself while it trains, and to whom. */
import type { EpochRecord, Score } from '../../../runs/metrics';
import type { Log } from '../../../utils/logger';
import type { Options } from '../../../utils/schema_forms';

/** A run as it begins, or goes on. */
export interface TrackedRun {
  readonly directory: string;
  /** Content of params.json with its defaults; and with every key that has a meaning where it is absent. */
  readonly params: object;
  readonly resolved: object;
  /** Steps and epochs that were done before. */
  readonly steps: number;
  readonly history: readonly EpochRecord[];
  readonly commit: unknown;
  readonly log: Pick<Log, 'warn'>;
}

/** How a process ends; `test`: the score of a run that has finished. */
export interface TrackedEnd {
  readonly status: 'finished' | 'interrupted' | 'failed';
  readonly steps: number;
  readonly test?: { readonly metrics: Score; readonly epoch: number };
}

export interface Tracker {
  /** After some of the steps. */
  onStep(step: number, metrics: Readonly<Record<string, number>>, learningRate: number): void;
  /** After an epoch, the last of `history`; `step` is its last one. */
  onEpoch(step: number, history: readonly EpochRecord[], seconds: number): void;
  onEnd(end: TrackedEnd): void;
}

/** A kind of tracker, as params.json names it. */
export interface TrackerKind<Chosen> {
  /** The schemas of its options, all with defaults. */
  readonly options: Options;
  /** Throws a UserError where it cannot write. */
  open(run: TrackedRun, options: Chosen): Tracker;
}

/** A run as a report knows it, be it ours or of another tool. */
import type { SavedScore } from '../../runs/metrics';
import type { Flat } from '../../utils/flatten';
import type { PredictionSummary } from '../predictions';
import type { EarlyEnding } from './endings';

/**
 * running: a living process holds its lock; finished: its last result is there; broken: a file cannot be read; pruned and
 * failed: the search whose trial it is has ended it, or, failed, its numbers were not finite; interrupted: none of these, it
 * can go on.
 */
export type Status = 'running' | 'finished' | 'broken' | EarlyEnding | 'interrupted';

/** A score file; among its metrics is calibration_error, where predictions are kept. */
export interface RunScore extends SavedScore {
  /** Of the same epoch. */
  readonly predictions?: PredictionSummary;
}

/** Values by name (`epoch`, `learning_rate`, `train_loss`, `val_accuracy`, …), one for each line of metrics.jsonl. */
export type Curves = ReadonlyMap<string, readonly number[]>;

export interface FileError {
  readonly file: string;
  readonly reason: string;
}

export interface Run {
  /** Path below the directory of the report, with `/` between folders; `.` for that directory itself. */
  readonly directory: string;
  readonly status: Status;
  /** What was trained, as run.json has it with every key filled; where it does not, what params.json says. */
  readonly params: Flat;
  /** What of it params.json gave. */
  readonly given: Flat;
  /** Keys in which params.json differs from what was trained: it was edited since. */
  readonly changed: readonly string[];
  /** Of params.json, or else of run.json. */
  readonly seed: string | undefined;
  /** Validation metrics of the best epoch and of the last. */
  readonly val: RunScore | undefined;
  readonly last: RunScore | undefined;
  /** Test metrics of the best epoch; a score of an epoch that is no longer the best is left out. */
  readonly test: RunScore | undefined;
  readonly history: Curves;
  /** What run.json says besides its params. */
  readonly facts: Flat;
  readonly errors: readonly FileError[];
}

/** Was the epoch chosen by its accuracy on the very images that its score is of? Unknown counts as yes. */
export function chosenOnTest({ val, test }: Run): boolean {
  return (val ?? test) !== undefined && (val ?? test)!.selectedOn !== 'validation';
}

/** Epochs that are done, and those that are planned, where known. */
export function progressOf({ history, params }: Pick<Run, 'history' | 'params'>): {
  done: number;
  planned: number | undefined;
} {
  const planned = params.get('num_epochs');
  return { done: history.get('epoch')?.at(-1) ?? 0, planned: typeof planned === 'number' ? planned : undefined };
}

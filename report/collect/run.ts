/** A run in a report, ours or of another tool. */
import type { SavedScore } from '../../runs/metrics';
import type { Flat } from '../../utils/flatten';
import type { PredictionSummary, TeacherSummary } from '../predictions';
import type { EarlyEnding } from './endings';

/**
 * running: a living process holds its lock; finished: its last result exists; broken: a file cannot be read; pruned,
 * failed: its search ended the trial, or, for failed, its numbers were not finite; interrupted: none of these, it can
 * be resumed.
 */
export type Status = 'running' | 'finished' | 'broken' | EarlyEnding | 'interrupted';

/** A score file; its metrics include calibration_error if there are predictions. */
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
  /** The effective params from run.json, or else those of params.json. */
  readonly params: Flat;
  /** The params given in params.json. */
  readonly given: Flat;
  /** Keys of params.json that were edited after training. */
  readonly changed: readonly string[];
  /** Of params.json, or else of run.json. */
  readonly seed: string | undefined;
  /** Validation metrics of the best and the last epoch. */
  readonly val: RunScore | undefined;
  readonly last: RunScore | undefined;
  /** Test metrics of the best epoch; a score of an epoch that is no longer the best is omitted. */
  readonly test: RunScore | undefined;
  /** What its teacher says about test images, if the run has kept that. */
  readonly teacher?: TeacherSummary | undefined;
  readonly history: Curves;
  /** The content of run.json besides its params. */
  readonly facts: Flat;
  readonly errors: readonly FileError[];
}

/** Whether the epoch was chosen by its accuracy on the test images themselves. Unknown counts as yes. */
export function chosenOnTest({ val, test }: Run): boolean {
  return (val ?? test) !== undefined && (val ?? test)!.selectedOn !== 'validation';
}

/** Finished epochs, and planned epochs if known. */
export function progressOf({ history, params }: Pick<Run, 'history' | 'params'>): {
  done: number;
  planned: number | undefined;
} {
  const planned = params.get('num_epochs');
  return { done: history.get('epoch')?.at(-1) ?? 0, planned: typeof planned === 'number' ? planned : undefined };
}

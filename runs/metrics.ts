/** The metrics of a run: one line per epoch, and score files for the best and the last weights. */
import { messageOf, UserError } from '../utils/errors';
import { readText } from '../utils/files';
import { objectIn, parsePythonJson, show } from '../utils/json';

/** The metrics of some weights on some images. */
export interface Score {
  /** Absent where images have no labels: then `loss` is that of the method. */
  readonly accuracy?: number;
  readonly loss: number;
  readonly logit_difference?: number;
  readonly knn_accuracy?: number;
}

/** One line of metrics.jsonl. */
export interface EpochRecord {
  readonly epoch: number;
  readonly learning_rate: number;
  readonly train: Readonly<Record<string, number>>;
  readonly val: Score;
  /** Optimizer steps that were skipped because they were not finite, if any. */
  readonly skipped?: number;
}

/** A metrics_*_weights.json, possibly of an earlier version or another tool. */
export interface SavedScore {
  /** accuracy, loss and all other numbers; NaN for null. */
  readonly metrics: ReadonlyMap<string, number>;
  readonly epoch: number | undefined;
  /** The images on which the epoch was chosen: `validation`, `test`, or unknown. */
  readonly selectedOn: string | undefined;
}

/** What epochs are chosen by, more is better: the accuracy, or −loss where there is none. */
export function meritOf({ accuracy, loss }: Score): number {
  return accuracy ?? (Number.isFinite(loss) ? -loss : -Infinity);
}

/** The epoch with the highest validation accuracy, or the lowest loss where there is none; the later one in a tie. */
export function bestRecord(history: readonly EpochRecord[]): EpochRecord | undefined {
  return history.reduce<EpochRecord | undefined>(
    (best, record) => (best && meritOf(record.val) < meritOf(best.val) ? best : record),
    undefined,
  );
}

/**
 * The lines of a metrics.jsonl, unvalidated; numbers may be written as Python does. Throws a UserError that names a
 * line that is not a JSON object. With `isGrowing`, a last line without a line feed is skipped: it is still being
 * written.
 */
export function readEpochs(path: string, { isGrowing = false } = {}): Record<string, unknown>[] {
  const lines = readText(path).split('\n');
  const whole = isGrowing ? lines.slice(0, -1) : lines.filter(Boolean);
  return whole.map((line, i) => {
    try {
      return parse(line);
    } catch (error) {
      throw new UserError(`${path}: line ${i + 1}: ${messageOf(error)}`);
    }
  });
}

/**
 * Reads a score file; numbers may be written as Python does. Throws a UserError that names the file if it is invalid.
 */
export function readScore(path: string): SavedScore {
  const text = readText(path);
  try {
    const { epoch, selected_on: selectedOn, ...rest } = parse(text);
    return {
      metrics: new Map(Object.entries(rest).map(([name, value]) => [name, numberIn(value, name)])),
      epoch: epoch === undefined ? undefined : numberIn(epoch, 'epoch'),
      selectedOn: typeof selectedOn === 'string' ? selectedOn : undefined,
    };
  } catch (error) {
    throw new UserError(`${path}: ${messageOf(error)}`);
  }
}

/** A number; null stands for one that JSON cannot express, such as the loss of a diverged run. */
export function numberIn(value: unknown, name: string): number {
  if (typeof value === 'number') return value;
  if (value === null) return NaN;
  throw new Error(`"${name}" must be a number, got ${show(value)}`);
}

function parse(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = parsePythonJson(text);
  } catch (error) {
    throw new Error(`not valid JSON: ${messageOf(error)}`);
  }
  return objectIn(value);
}

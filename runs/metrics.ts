/** The metrics that a run keeps: a line for each epoch, and a score file for each of the weights that are told of. */
import { messageOf, UserError } from '../utils/errors';
import { readText } from '../utils/files';
import { objectIn, parsePythonJson, show } from '../utils/json';

/** Of some weights on some images. */
export interface Score {
  readonly accuracy: number;
  readonly loss: number;
  readonly logit_difference?: number;
}

/** One line of metrics.jsonl. */
export interface EpochRecord {
  readonly epoch: number;
  readonly learning_rate: number;
  readonly train: Readonly<Record<string, number>>;
  readonly val: Score;
  /** Optimizer steps that were left out as they were not finite, where there were some. */
  readonly skipped?: number;
}

/** A metrics_*_weights.json, be it of an earlier version or of another tool. */
export interface SavedScore {
  /** accuracy, loss and whatever else is a number; NaN where JSON has null. */
  readonly metrics: ReadonlyMap<string, number>;
  readonly epoch: number | undefined;
  /** The images on which the epoch was chosen: `validation`, `test`, or unknown. */
  readonly selectedOn: string | undefined;
}

/** The epoch with the highest validation accuracy; the later one of a tie. */
export function bestRecord(history: readonly EpochRecord[]): EpochRecord | undefined {
  return history.reduce<EpochRecord | undefined>(
    (best, record) => (best && record.val.accuracy < best.val.accuracy ? best : record),
    undefined,
  );
}

/**
 * The lines of a metrics.jsonl, in which a file may say anything, numbers as Python writes them among it. A UserError names
 * the line that is no JSON object. With `isGrowing` a last line without an end is left out: it is being written.
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

/** Reads a score file, numbers as Python writes them. A UserError names it where it holds something else. */
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

/** A number; null stands for one that JSON cannot hold, such as the loss of a run that diverged. */
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

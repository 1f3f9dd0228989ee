/** The position of a run in its training, as stored in its last checkpoint. */
import { isObject } from '../utils/json';
import type { EpochRecord } from './metrics';

/** Sums over examples and the number of examples, by metric. */
export type Sums = Readonly<Record<string, { readonly sum: number; readonly examples: number }>>;

/** Counts of steps that were not finite. */
export interface Trouble {
  /** Optimizer steps that were skipped. */
  readonly skipped: number;
  /** How many of the last ones in a row, across epochs. */
  readonly inARow: number;
  /**
   * Number of the last optimizer step that was skipped, with gradient accumulation: its other micro-batches are skipped
   * too.
   */
  readonly update?: number;
  /** How often the run returned to the beginning of an epoch. */
  readonly restored: number;
}

/** The position in the training. Together with the state after the last step it determines the next step. */
export interface Position {
  /** Finished epochs. */
  readonly epoch: number;
  /** Finished steps of the current epoch. */
  readonly step: number;
  /** Sums over the examples of the current epoch. */
  readonly sums: Sums;
  readonly history: readonly EpochRecord[];
  /** Absent if there was none. */
  readonly trouble?: Trouble;
}

export const START: Position = { epoch: 0, step: 0, sums: {}, history: [] };

/** The text of a position for the metadata of a checkpoint. */
export function positionText(position: Position): string {
  return JSON.stringify(position, namingNonFinite);
}

/** Parses the position in the metadata of a checkpoint; undefined if it is invalid. */
export function parsePosition(text: string | undefined): Position | undefined {
  try {
    const position: unknown = JSON.parse(text ?? '', withNonFinite);
    return isPosition(position) ? position : undefined;
  } catch {
    return undefined;
  }
}

const nonFinite = ['NaN', 'Infinity', '-Infinity'];

/** JSON has no NaN or infinity: a position stores them as strings, and has no other strings of this kind. */
function namingNonFinite(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

/** Earlier versions wrote null for them. */
function withNonFinite(_key: string, value: unknown): unknown {
  return value === null || nonFinite.includes(value as string) ? Number(value ?? NaN) : value;
}

function isPosition(value: unknown): value is Position {
  if (!isObject(value) || !isCount(value.epoch) || !isCount(value.step)) return false;
  const { sums, history, trouble = {} } = value;
  return (
    isObject(sums) &&
    Object.values(sums).every((sum) => isOfNumbers(sum, ['sum', 'examples'])) &&
    Array.isArray(history) &&
    history.every(isRecord) &&
    isOfNumbers(trouble, [])
  );
}

function isRecord(record: unknown): boolean {
  if (!isObject(record)) return false;
  const { train, val, ...rest } = record;
  return isOfNumbers(rest, ['epoch', 'learning_rate']) && isOfNumbers(train, []) && isOfNumbers(val, ['loss']);
}

/** An object whose values are numbers, possibly not finite. */
function isOfNumbers(value: unknown, names: readonly string[]): boolean {
  if (!isObject(value) || !Object.values(value).every((one) => typeof one === 'number')) return false;
  return names.every((name) => Object.hasOwn(value, name));
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

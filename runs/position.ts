/** Where the training of a run stands, as its last checkpoint says. */
import { isObject } from '../utils/json';
import type { EpochRecord } from './metrics';

/** Sums over examples, and over how many of them, by the name of what is summed. */
export type Sums = Readonly<Record<string, { readonly sum: number; readonly examples: number }>>;

/** What became of steps that were not finite. */
export interface Trouble {
  /** Optimizer steps that were left out. */
  readonly skipped: number;
  /** How many of the last ones, over epochs. */
  readonly inARow: number;
  /** Number of the last optimizer step that was left out, where micro-batches make one: the rest of it is left out too. */
  readonly update?: number;
  /** How often the run went back to the beginning of an epoch. */
  readonly restored: number;
}

/** Where training stands. With the state of the last step it is all that the next step depends on. */
export interface Position {
  /** Epochs that are finished. */
  readonly epoch: number;
  /** Steps that are done in the epoch under way. */
  readonly step: number;
  /** Sums over the examples of the epoch under way. */
  readonly sums: Sums;
  readonly history: readonly EpochRecord[];
  /** Absent where there was none. */
  readonly trouble?: Trouble;
}

export const START: Position = { epoch: 0, step: 0, sums: {}, history: [] };

/** The text of a position in the metadata of a checkpoint. */
export function positionText(position: Position): string {
  return JSON.stringify(position, namingNonFinite);
}

/** The position that a checkpoint's metadata has, which may say anything; undefined where it is none. */
export function parsePosition(text: string | undefined): Position | undefined {
  try {
    const position: unknown = JSON.parse(text ?? '', withNonFinite);
    return isPosition(position) ? position : undefined;
  } catch {
    return undefined;
  }
}

const nonFinite = ['NaN', 'Infinity', '-Infinity'];

/** JSON has no numbers that are not finite: in a position they are written as texts, of which it has no such others. */
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
  return (
    isOfNumbers(rest, ['epoch', 'learning_rate']) && isOfNumbers(train, []) && isOfNumbers(val, ['accuracy', 'loss'])
  );
}

/** An object of numbers, these among them. */
function isOfNumbers(value: unknown, names: readonly string[]): boolean {
  if (!isObject(value) || !Object.values(value).every((one) => typeof one === 'number')) return false;
  return names.every((name) => Object.hasOwn(value, name));
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

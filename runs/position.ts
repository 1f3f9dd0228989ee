/** Whether what a checkpoint says of its position is one: a file may say anything. */
import { isObject } from '../utils/json';
import type { Position } from './run_directory';

/** A parsed position, in which numbers that are not finite are numbers again. */
export function isPosition(value: unknown): value is Position {
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

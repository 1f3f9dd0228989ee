/** The `space` of a search.json that fits its schema: dimensions, or what is wrong with them. */
import { show } from '../../utils/json';
import { canonical, isTame, type Json } from '../json';
import {
  countOf,
  indexOf,
  valueAt,
  type Choice,
  type Condition,
  type Dimension,
  type Range,
  type Space,
} from './space';

interface RangeInFile {
  readonly low: number;
  readonly high: number;
  readonly step?: number;
  readonly log: boolean;
  readonly integer: boolean;
  readonly when?: Readonly<Record<string, unknown>>;
}
interface ListInFile {
  readonly values: readonly unknown[];
  readonly when?: Readonly<Record<string, unknown>>;
}
export type SpaceInFile = Readonly<Record<string, readonly unknown[] | ListInFile | RangeInFile>>;

/** The dimensions in the order of the file, and a line for each mistake; the space is of use where there is none. */
export function parseSpace(file: SpaceInFile): { space: Space; mistakes: string[] } {
  const space: Dimension[] = [];
  const mistakes: string[] = [];
  const paths = Object.keys(file);
  for (const [path, content] of Object.entries(file)) {
    const complain = (key: string, accepted: string, got: unknown) =>
      mistakes.push(`${show(`space.${path}${key}`)} must ${accepted}, got ${show(got)}`);
    const inner = paths.slice(0, paths.indexOf(path)).find((earlier) => earlier.startsWith(`${path}.`));
    if (inner !== undefined) {
      mistakes.push(
        `"space.${path}" must stand before "space.${inner}", which it would overwrite, got the other order`,
      );
    }
    const dimension = isList(content) ? parseChoice(path, content, complain) : parseRange(path, content, complain);
    const condition = Array.isArray(content) ? undefined : (content as ListInFile).when;
    space.push(condition ? { ...dimension, when: parseCondition(condition, space, complain) } : dimension);
  }
  return { space, mistakes };
}

function isArray(content: readonly unknown[] | ListInFile): content is readonly unknown[] {
  return Array.isArray(content);
}

type Complain = (key: string, accepted: string, got: unknown) => void;

function isList(content: SpaceInFile[string]): content is readonly unknown[] | ListInFile {
  return Array.isArray(content) || Object.hasOwn(content, 'values');
}

function parseChoice(path: string, content: readonly unknown[] | ListInFile, complain: Complain): Choice {
  const [values, prefix] = isArray(content) ? [content, ''] : [content.values, '.values'];
  const tame = new Map<string, Json>();
  values.forEach((value, i) => {
    const key = `${prefix}.${i}`;
    if (!isTame(value)) complain(key, 'hold only finite numbers and at most 20 levels', value);
    else if (tame.has(canonical(value))) complain(key, 'differ from the values before it', value);
    else tame.set(canonical(value), value);
  });
  return { kind: 'choice', path, values: [...tame.values()] };
}

function parseRange(path: string, { low, high, step, log, integer }: RangeInFile, complain: Complain): Range {
  if (high <= low) complain('.high', `be above "low", which is ${low}`, high);
  if (high - low === Infinity) complain('.high', `lie at a finite distance from "low", which is ${low}`, high);
  if (log && low <= 0) complain('.low', 'be above 0 where "log" is true', low);
  if (integer && !Number.isSafeInteger(low)) complain('.low', 'be an integer where "integer" is true', low);
  if (integer && !Number.isSafeInteger(high)) complain('.high', 'be an integer where "integer" is true', high);
  if (integer && step !== undefined && !Number.isInteger(step)) {
    complain('.step', 'be an integer where "integer" is true', step);
  }
  if (log && step !== undefined && !(integer && step === 1)) {
    complain('.step', 'be absent where "log" is true (with "integer": true it is 1)', step);
  } else if (step !== undefined && step > high - low) {
    complain('.step', `be at most "high" − "low", which is ${high - low}`, step);
  } else if (step !== undefined && (high - low) / step > Number.MAX_SAFE_INTEGER) {
    complain('.step', 'be larger: not so many numbers lie between "low" and "high"', step);
  }
  const range: Range = {
    kind: 'range',
    path,
    low,
    high,
    log,
    ...(step !== undefined ? { step } : integer && { step: 1 }),
  };
  return range.step === undefined ? range : { ...range, high: valueAt(range, countOf(range) - 1) as number };
}

function parseCondition(given: Readonly<Record<string, unknown>>, before: Space, complain: Complain): Condition {
  const condition: Record<string, readonly Json[]> = {};
  for (const [path, wanted] of Object.entries(given)) {
    const key = `.when.${path}`;
    const dimension = before.find((earlier) => earlier.path === path);
    const values = (Array.isArray(wanted) ? wanted : [wanted]) as unknown[];
    if (dimension === undefined) complain(key, 'name a dimension that stands before it', path);
    else if (countOf(dimension) === Infinity) complain(key, 'name a list or a range with "step" or "integer"', path);
    else {
      const stranger = values.find((value) => !isTame(value) || indexOf(dimension, value) < 0);
      if (values.length === 0) complain(key, `be a value of "space.${path}" or a list of some`, wanted);
      else if (stranger !== undefined) complain(key, `be one of the values of "space.${path}"`, stranger);
      else condition[path] = values as Json[];
    }
  }
  return condition;
}

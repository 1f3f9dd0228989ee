/** Maps columns of a model's output to the classes of the data set, if it has more classes or another order. */
import { readFileSync } from 'node:fs';
import { quoted } from '../../../formats/binary';
import { UserError } from '../../../utils/errors';
import { reading } from '../../../utils/files';
import { isObject, parseJson } from '../../../utils/json';
import { nearest } from '../../../utils/nearest';
import type { Dataset } from '../../data/dataset';
import type { OnnxTeacherParams } from './params';

export interface Columns {
  /** The column of each class of the data set. */
  readonly numbers: readonly number[];
  /** The number of columns of the model, if a file names them. */
  readonly count?: number;
}

/** The columns given by `"classes"` in params.json; undefined if it is absent. */
export function columnsOf(
  { onnx, classes: given }: OnnxTeacherParams,
  { classes, name }: Dataset,
): Columns | undefined {
  if (given === undefined) return undefined;
  const columns = typeof given === 'string' ? namedColumns(given, classes) : { numbers: given };
  const { numbers } = columns;
  if (numbers.length !== classes.length) {
    throw new UserError(
      `${onnx}: "classes" has ${numbers.length} columns, accepted are ${classes.length}, one for each class of ${name}`,
    );
  }
  const twice = numbers.find((column, i) => numbers.indexOf(column) < i);
  if (twice !== undefined) throw new UserError(`${onnx}: "classes" has column ${twice} twice`);
  return columns;
}

/** Finds each class in a file with one name per line, or with a JSON list or object of names. */
function namedColumns(path: string, classes: readonly string[]): Columns {
  const names = namesIn(path);
  // The whole name counts before its parts: synonyms between commas, the word before them.
  const whole = placesOf(names.map((name) => [name]));
  const parts = placesOf(names.map(partsOf));
  const numbers = classes.map((name) => {
    const places = whole.get(plain(name)) ?? parts.get(plain(name)) ?? [];
    const [column, other] = places;
    if (column === undefined) {
      const close = nearest(plain(name), [...parts.keys()]);
      const hint = close === undefined ? '' : `; the nearest is ${quoted(close)}`;
      throw new UserError(`${path}: has no class ${quoted(name)} among its ${names.length}${hint}`);
    }
    if (other !== undefined) {
      throw new UserError(
        `${path}: has the class ${quoted(name)} as columns ${column} and ${other}: list the columns as "classes": [...]`,
      );
    }
    return column;
  });
  return { numbers, count: names.length };
}

function namesIn(path: string): string[] {
  const text = reading(path, () => readFileSync(path, 'utf8')).replace(/^\uFEFF/, '');
  if (!/^\s*[[{]/.test(text)) {
    const lines = text.split(/\r?\n/);
    while (lines.at(-1)?.trim() === '') lines.pop();
    return lines;
  }
  const refused = new UserError(
    `${path}: must have one name per line, a list of names, or an object such as {"0": "tench"}`,
  );
  let content: unknown;
  try {
    content = parseJson(text);
  } catch {
    throw refused;
  }
  const list: unknown[] = Array.isArray(content) ? content : isObject(content) ? inOrder(content) : [];
  return list.map((name) => {
    const words: unknown[] = Array.isArray(name) ? name : [name];
    if (words.length === 0 || !words.every((word) => typeof word === 'string')) throw refused;
    return words.join(', ');
  });
}

/** The values of {"0": …, "1": …}, the form of Keras and Hugging Face. */
function inOrder(content: Readonly<Record<string, unknown>>): unknown[] {
  return Object.keys(content).map((_, column) => content[String(column)]);
}

/** "n01440764 tench, Tinca tinca" also matches n01440764, tench and Tinca tinca. */
function partsOf(name: string): string[] {
  const [, id, rest] = /^(n\d{8})[\s,]+(.*)$/.exec(name.trim()) ?? [undefined, undefined, name];
  return [...(id === undefined ? [] : [id]), rest, ...rest.split(',')];
}

/** The columns by each of their names. */
function placesOf(names: readonly (readonly string[])[]): Map<string, number[]> {
  const places = new Map<string, number[]>();
  names.forEach((all, column) => {
    for (const name of new Set(all.map(plain))) places.set(name, [...(places.get(name) ?? []), column]);
  });
  return places;
}

/** Ignores case, and whether words are joined by blanks, hyphens or underscores. */
function plain(name: string): string {
  return name
    .trim()
    .toLowerCase()
    .replace(/[\s_-]+/g, ' ');
}

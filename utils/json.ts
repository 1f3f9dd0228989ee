/** JSON from files of others: parsed only where what walks through it cannot run out of stack. */

/** Levels of lists and objects; no file of ours has more than ten. */
const MAX_LEVELS = 100;

/**
 * The value of a JSON text, which may begin with a byte order mark, as editors on Windows write one. Throws an Error of one
 * line where it is none, or is nested too deeply.
 */
export function parseJson(text: string): unknown {
  if (text.includes('\0')) throw new Error('it is not UTF-8 text');
  refuseDepth(text);
  return JSON.parse(text.replace(/^\uFEFF/, ''));
}

/**
 * The value of a JSON text that a person may have edited. Throws an Error as `parseJson` does, and where an object has a key
 * twice, of which `JSON.parse` silently takes the last.
 */
export function parseEditedJson(text: string): unknown {
  const value = parseJson(text);
  refuseRepeatedKeys(text);
  return value;
}

/** The words of JavaScript and Python for numbers that JSON has none for, outside of strings. */
const notFinite = /"(?:[^"\\]|\\.)*"|NaN|-?Infinity/gs;

/** As `parseJson`, of a text as Python's json writes one: NaN becomes null, an infinity the number. */
export function parsePythonJson(text: string): unknown {
  const words: Readonly<Record<string, string>> = { NaN: 'null', Infinity: '1e999', '-Infinity': '-1e999' };
  return parseJson(text.replace(notFinite, (found) => words[found] ?? found));
}

/** Whether a parsed value is an object, and neither a list nor null. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A value in an error message: in JSON, cut to a readable length, and by its kind where it is no single value. */
export function show(value: unknown): string {
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  if (typeof value !== 'string') return String(value);
  return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
}

/** The value, which must be an object. */
export function objectIn(value: unknown): Record<string, unknown> {
  if (isObject(value)) return value;
  throw new Error(`must be an object, got ${show(value)}`);
}

/** Counts brackets outside of strings, before anything is made of them. */
function refuseDepth(text: string): void {
  let levels = 0;
  let isInString = false;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (isInString) {
      if (character === '\\') i++;
      else if (character === '"') isInString = false;
    } else if (character === '"') isInString = true;
    else if (character === '[' || character === '{') levels++;
    else if (character === ']' || character === '}') levels--;
    if (levels > MAX_LEVELS) throw new Error(`it is nested more than ${MAX_LEVELS} levels deep`);
  }
}

/** What follows a string that is a key. */
const afterString = /\s*:/y;

/** Looks for a key that an object of a valid JSON text has twice. */
function refuseRepeatedKeys(text: string): void {
  /** The keys so far, and where they stand, of each object that is open; undefined for a list. */
  const open: (Map<string, number> | undefined)[] = [];
  const line = (index: number) => text.slice(0, index).split('\n').length;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (character === '{') open.push(new Map());
    else if (character === '[') open.push(undefined);
    else if (character === '}' || character === ']') open.pop();
    else if (character === '"') {
      const index = i;
      while (text[++i] !== '"') if (text[i] === '\\') i++;
      const keys = open.at(-1);
      afterString.lastIndex = i + 1;
      if (!keys || !afterString.test(text)) continue;
      const key = JSON.parse(text.slice(index, i + 1)) as string;
      const before = keys.get(key);
      if (before !== undefined) {
        const name = JSON.stringify(key.slice(0, 60));
        throw new Error(`it has ${name} twice, in lines ${line(before)} and ${line(index)}`);
      }
      keys.set(key, index);
    }
  }
}

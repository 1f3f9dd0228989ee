/** Untrusted JSON: parsed only if it is not nested so deeply that walking through it overflows the stack. */

/** Maximum nesting of lists and objects; our own files have at most ten levels. */
const MAX_LEVELS = 100;

/**
 * Parses a JSON text, which may begin with a byte order mark, as editors on Windows write it. Throws an Error of one
 * line if it is not valid JSON or is nested too deeply.
 */
export function parseJson(text: string): unknown {
  if (text.includes('\0')) throw new Error('it is not UTF-8 text');
  refuseDepth(text);
  return JSON.parse(text.replace(/^\uFEFF/, ''));
}

/**
 * Parses a JSON text that a person may have edited. Throws as `parseJson` does, and for a duplicate key, of which
 * `JSON.parse` silently takes the last.
 */
export function parseEditedJson(text: string): unknown {
  const value = parseJson(text);
  refuseRepeatedKeys(text);
  return value;
}

/** The literals of JavaScript and Python for numbers that JSON cannot express, outside of strings. */
const notFinite = /"(?:[^"\\]|\\.)*"|NaN|-?Infinity/gs;

/** As `parseJson`, for a text written by Python's json: NaN becomes null, Infinity the number. */
export function parsePythonJson(text: string): unknown {
  const words: Readonly<Record<string, string>> = { NaN: 'null', Infinity: '1e999', '-Infinity': '-1e999' };
  return parseJson(text.replace(notFinite, (found) => words[found] ?? found));
}

/** Whether a parsed value is an object, and neither a list nor null. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A value for an error message: as JSON, shortened; arrays and objects by their kind only. */
export function show(value: unknown): string {
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  if (typeof value !== 'string') return String(value);
  return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
}

/** Returns the value; throws if it is not an object. */
export function objectIn(value: unknown): Record<string, unknown> {
  if (isObject(value)) return value;
  throw new Error(`must be an object, got ${show(value)}`);
}

/** Checks the nesting by counting brackets outside of strings, before the text is parsed. */
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

/** Matches what follows a string that is a key. */
const afterString = /\s*:/y;

/** Finds a duplicate key in an object of a valid JSON text. */
function refuseRepeatedKeys(text: string): void {
  /** For each open object, its keys so far and their positions; undefined for a list. */
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
        throw new Error(`it has the key ${name} twice, in lines ${line(before)} and ${line(index)}`);
      }
      keys.set(key, index);
    }
  }
}

/** Without the key `$schema`, by which an editor finds the schema of a file. */
export function withoutSchema(content: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(content).filter(([key]) => key !== '$schema'));
}

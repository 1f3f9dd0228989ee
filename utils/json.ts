/** JSON from files of others: parsed only where what walks through it cannot run out of stack. */

/** Levels of lists and objects; no file of ours has more than ten. */
const MAX_LEVELS = 100;

/** The value of a JSON text. Throws an Error of one line where it is none, or is nested too deeply. */
export function parseJson(text: string): unknown {
  refuseDepth(text);
  return JSON.parse(text);
}

/** Whether a parsed value is an object, and neither a list nor null. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
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

/** The journal of a search as a file: one JSON object a line, only ever appended. */
import { isThere, readText } from '../utils/files';
import { parseJson } from '../utils/json';

/**
 * What the lines of a journal hold, undefined for one that is no JSON; nothing where there is no file. A last line without an
 * end is left out: its writer was killed before anything followed from it, or is about to end it.
 */
export function readJournalLines(path: string): unknown[] {
  if (!isThere(path)) return [];
  return readText(path).split('\n').slice(0, -1).map(parse);
}

function parse(line: string): unknown {
  try {
    return parseJson(line);
  } catch {
    return undefined;
  }
}

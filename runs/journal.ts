/** The journal of a search as a file: one JSON object a line, only ever appended. */
import { isThere, readText } from '../utils/files';
import { parseJson } from '../utils/json';

/**
 * The parsed lines of a journal, undefined for a line that is not JSON; empty if there is no file. A last line without
 * a line feed is skipped: its writer was killed before it acted on it, or is still writing it.
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

/** How the trials of a search ended, from its journal, for trials whose own files do not show it. */
import { dirname, join, resolve } from 'node:path';
import { repeatDirectory, searchFiles } from '../../runs/files';
import { readJournalLines } from '../../runs/journal';

export type EarlyEnding = 'pruned' | 'failed';

interface Ending {
  readonly event: EarlyEnding;
  /** Reason of a failure. */
  readonly reason: string | undefined;
}

/** How a search ended the run in a directory early; undefined if none did. Reads each journal once. */
export function earlyEndings(): (directory: string) => EarlyEnding | undefined {
  const endingOf = endings();
  return (directory) => endingOf(directory)?.event;
}

/** Why a run failed, in the words of its search; undefined if it did not. Reads each journal once. */
export function failureReasons(): (directory: string) => string | undefined {
  const endingOf = endings();
  return (directory) => endingOf(directory)?.reason;
}

function endings(): (directory: string) => Ending | undefined {
  const known = new Map<string, ReadonlyMap<string, Ending>>();
  const endingsIn = (parent: string) => {
    if (!known.has(parent)) known.set(parent, readEndings(parent));
    return known.get(parent)!;
  };
  return (directory) => {
    const path = resolve(directory);
    const parent = dirname(path);
    return endingsIn(parent).get(path) ?? endingsIn(dirname(parent)).get(path);
  };
}

/**
 * The latest endings of trials by directory, from the journal of the search in `parent`; omits trials that were started
 * again. Ignores lines that are not events.
 */
function readEndings(parent: string): ReadonlyMap<string, Ending> {
  const endings = new Map<string, Ending>();
  for (const line of linesOf(join(parent, searchFiles.journal))) {
    const { event, name, repeat, reason } = Object(line) as Readonly<Partial<Record<string, unknown>>>;
    if (typeof name !== 'string' || typeof repeat !== 'number') continue;
    const directory = repeatDirectory(join(parent, name), repeat);
    if (event === 'pruned' || event === 'failed') {
      endings.set(directory, { event, reason: typeof reason === 'string' ? reason : undefined });
    } else {
      endings.delete(directory);
    }
  }
  return endings;
}

/** An unreadable journal counts as empty. */
function linesOf(path: string): unknown[] {
  try {
    return readJournalLines(path);
  } catch {
    return [];
  }
}

/** Finds files with certain names in the folders below a directory. */
import { lstatSync } from 'node:fs';
import { escapePath, globSync } from 'fast-glob';
import { notOwnRuns } from '../../runs/files';

/** Ignored folders: earlier results, repetitions, stages of runs, packages; hidden folders are always ignored. */
const passedOver = ['**/node_modules/**', ...notOwnRuns];

/**
 * The folders, by their paths below `directory` with `/` between names (`''` for that directory itself), and which of the
 * `names`, or what else begins so, are in each, be it files, links to files, or what is neither. Links to folders are not followed; a folder that cannot
 * be read has none.
 */
export function findFiles(
  directory: string,
  names: readonly string[],
  beginnings: readonly string[] = [],
): Map<string, Set<string>> {
  const options = {
    cwd: directory,
    ignore: passedOver,
    followSymbolicLinks: false,
    suppressErrors: true,
    onlyFiles: false,
  };
  const found = new Map<string, Set<string>>();
  const patterns = [...names.map(escapePath), ...beginnings.map((name) => `${escapePath(name)}*`)];
  for (const path of globSync(
    patterns.map((pattern) => `**/${pattern}`),
    options,
  )) {
    const slash = path.lastIndexOf('/');
    const folder = path.slice(0, Math.max(slash, 0));
    if (!found.has(folder)) found.set(folder, new Set());
    found.get(folder)!.add(path.slice(slash + 1));
  }
  return found;
}

/** Does not follow links: a published page must not show files from elsewhere. */
export function unlinked(path: string): string {
  if (lstatSync(path).isSymbolicLink()) throw new Error('a link, which is not followed');
  return path;
}

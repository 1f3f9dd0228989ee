/** Runs of other tools in the folders of a report. */
import { join } from 'node:path';
import { messageOf } from '../../utils/errors';
import type { Scalar } from '../../utils/flatten';
import { unlinked } from './find';
import { csvLogs, readCsvLog, readEvents, type ForeignLog } from './foreign_logs';
import type { Run } from './run';

/** Prefix of TensorBoard's file names. */
export const eventFiles = 'events.out.tfevents.';
/** Keras's folder names for the two splits of a run. */
const partFolders = ['train', 'validation'];

/**
 * Reads logs of other tools in `found` folders below `directory` that neither are `taken` by other runs nor lie inside
 * one: a CSV log, or else event files; the two folders of Keras form one run. Without a known value, there is no run.
 */
export function foreignRuns(
  directory: string,
  found: ReadonlyMap<string, ReadonlySet<string>>,
  taken: ReadonlySet<string>,
  nameOf: (folder: string) => string,
): Run[] {
  const runs = new Map<string, Run>();
  const isFree = (folder: string) => ![folder, ...above(folder)].some((one) => taken.has(one) || runs.has(one));
  const folders = [...found.keys()].sort();
  const put = (folder: string, file: string, read: () => ForeignLog | undefined) => {
    const run = runFrom(nameOf(folder), join(directory, folder), file, read);
    if (run) runs.set(folder, run);
  };
  for (const folder of folders) {
    for (const file of csvLogs.filter((name) => found.get(folder)!.has(name) && isFree(folder))) {
      put(folder, file, () => readCsvLog(unlinked(join(directory, folder, file))));
    }
  }
  for (const [folder, files] of eventsByRun(found, folders.filter(isFree))) {
    if (isFree(folder))
      put(folder, files[0]!, () => readEvents(files.map((file) => unlinked(join(directory, folder, file)))));
  }
  return [...runs.values()];
}

/** The folders that a folder lies in; `''` is that of the report. */
function above(folder: string): string[] {
  return folder === '' ? [] : folder.split('/').map((_, i, names) => names.slice(0, i).join('/'));
}

/** Event files by the folder of their run, as paths below it. */
function eventsByRun(
  found: ReadonlyMap<string, ReadonlySet<string>>,
  folders: readonly string[],
): Map<string, string[]> {
  const byRun = new Map<string, string[]>();
  for (const folder of folders) {
    const events = [...found.get(folder)!].filter((name) => name.startsWith(eventFiles));
    if (events.length === 0) continue;
    const slash = folder.lastIndexOf('/');
    const last = folder.slice(slash + 1);
    const isPart = partFolders.includes(last);
    const run = isPart ? folder.slice(0, Math.max(slash, 0)) : folder;
    const paths = events.map((name) => (isPart ? `${last}/${name}` : name));
    byRun.set(run, [...(byRun.get(run) ?? []), ...paths]);
  }
  return byRun;
}

function runFrom(directory: string, path: string, file: string, read: () => ForeignLog | undefined): Run | undefined {
  const none = {
    params: new Map<string, Scalar>(),
    facts: new Map<string, Scalar>(),
    given: new Map(),
    changed: [],
    seed: undefined,
  };
  try {
    const log = read();
    return log && { directory, ...none, ...log, status: 'finished', errors: [] };
  } catch (error) {
    const errors = [{ file, reason: messageOf(error).replace(`${join(path, file)}: `, '') }];
    const nothing = { val: undefined, last: undefined, test: undefined, history: new Map<string, number[]>() };
    return { directory, ...none, ...nothing, status: 'broken', errors };
  }
}

/** What a launcher keeps of the stderr of a trainer: launcher.log of the last start, launcher.1.log of the first, and so on. */
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { launcherLogOf, searchFiles } from '../../runs/files';
import { isThere, writing } from '../../utils/files';

/** The path of the log of a new start; that of the start before moves aside. */
export function newLog(directory: string): string {
  const log = join(directory, searchFiles.launcherLog);
  if (!isThere(log)) return log;
  let start = 1;
  while (isThere(join(directory, launcherLogOf(start)))) start++;
  writing(log, () => renameSync(log, join(directory, launcherLogOf(start))));
  return log;
}

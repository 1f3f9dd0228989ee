/** What a launcher keeps of the stderr of a trainer: launcher.log of the last start, launcher.1.log of the first, and so on. */
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { isThere, writing } from '../../utils/files';
import { LAUNCHER_LOG } from '../trials/child';

/** The path of the log of a new start; that of the start before moves aside. */
export function newLog(directory: string): string {
  const log = join(directory, LAUNCHER_LOG);
  if (!isThere(log)) return log;
  let start = 1;
  while (isThere(numbered(directory, start))) start++;
  writing(log, () => renameSync(log, numbered(directory, start)));
  return log;
}

const numbered = (directory: string, start: number) => join(directory, `launcher.${start}.log`);

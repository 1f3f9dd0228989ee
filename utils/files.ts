/** Files that are whole or absent: written beside, flushed, read back, renamed. */
import {
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { messageOf, UserError } from './errors';
import { parseEditedJson } from './json';
import { isAlive } from './processes';

let draftsMade = 0;

/**
 * Writes a file so that a reader, or the next start after a power cut, sees the old content or the new, never a part.
 * Content may come in parts, which are written one after another. Where `keep` names a file, it becomes what was there
 * before. A link is replaced, not followed. A UserError names the file where it cannot be written; what was there is then
 * as it was.
 */
export function writeFileAtomic(
  path: string,
  content: string | Uint8Array | readonly Uint8Array[],
  keep?: string,
): void {
  const parts = typeof content === 'string' ? [Buffer.from(content)] : [content].flat();
  writing(path, () => {
    const draft = `${path}.${process.pid}-${draftsMade++}.draft`;
    try {
      writeFlushed(draft, parts);
      if (!holds(draft, parts)) throw new Error('what is read back is not what was written');
      if (keep !== undefined && existsSync(path)) {
        rmSync(keep, { force: true });
        linkSync(path, keep);
      }
      renameSync(draft, path);
    } catch (error) {
      rmSync(draft, { force: true });
      throw error;
    }
    flushDirectory(dirname(path));
  });
}

/** Removes what killed processes were about to write in a directory. */
export function removeDrafts(directory: string): void {
  for (const name of readdirSync(directory)) {
    const pid = /\.(\d+)-\d+\.draft$/.exec(name)?.[1];
    if (pid !== undefined && (Number(pid) === process.pid || !isAlive(Number(pid)))) {
      rmSync(join(directory, name), { force: true });
    }
  }
}

/** Does what writes a file, or into it; what goes wrong becomes a UserError that names the file. */
export function writing<T>(path: string, write: () => T): T {
  try {
    return write();
  } catch (error) {
    throw new UserError(`${path}: cannot be written: ${messageOf(error)}`);
  }
}

/**
 * Opens a file to add to its end, and makes it where there is none. Throws where it is a link: what that leads to may lie
 * anywhere.
 */
export function openToAppend(path: string): number {
  const { O_APPEND, O_CREAT, O_NOFOLLOW = 0, O_WRONLY } = constants;
  return openSync(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0o666);
}

/** Does what reads a file; a UserError names it where it is missing, a folder, a pipe or a device, or cannot be read. */
export function reading<T>(path: string, read: () => T): T {
  try {
    if (!statSync(path).isFile()) throw new Error('not a regular file');
    return read();
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new UserError(missing ? `${path}: no such file` : `${path}: cannot be read: ${messageOf(error)}`);
  }
}

/** The text of a file; errors as those of `reading`. */
export function readText(path: string): string {
  return reading(path, () => readFileSync(path, 'utf8'));
}

/** Reads and parses a JSON file; a UserError names the file where it is missing or broken, or has a key twice. */
export function readJson(path: string): unknown {
  const text = readText(path);
  try {
    return parseEditedJson(text);
  } catch (error) {
    throw new UserError(`${path}: not valid JSON: ${messageOf(error)}`);
  }
}

/** Writes JSON with four spaces to a level. */
export function writeJson(path: string, value: unknown): void {
  writeFileAtomic(path, JSON.stringify(value, null, 4));
}

function writeFlushed(path: string, parts: readonly Uint8Array[]): void {
  const file = openSync(path, 'w');
  try {
    // Unlike writeSync, writeFileSync goes on after a write that took less than all.
    for (const part of parts) writeFileSync(file, part);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Whether a file consists of these parts, and nothing else. */
function holds(path: string, parts: readonly Uint8Array[]): boolean {
  const file = openSync(path, 'r');
  const chunk = Buffer.alloc(1 << 20);
  try {
    for (const part of parts) {
      for (let at = 0; at < part.length;) {
        const expected = part.subarray(at, at + chunk.length);
        const count = readSync(file, chunk, 0, expected.length, null);
        if (count === 0 || chunk.compare(expected, 0, count, 0, count) !== 0) return false;
        at += count;
      }
    }
    return readSync(file, chunk, 0, 1, null) === 0;
  } finally {
    closeSync(file);
  }
}

/** A new name is on the disk once its directory is. Where directories cannot be flushed, the system sees to that itself. */
function flushDirectory(path: string): void {
  try {
    const directory = openSync(path, 'r');
    try {
      fsyncSync(directory);
    } finally {
      closeSync(directory);
    }
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (!['EACCES', 'EINVAL', 'EISDIR', 'ENOTSUP', 'EPERM'].includes(code)) throw error;
  }
}

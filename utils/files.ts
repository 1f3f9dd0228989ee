/**
 * Files that are whole or absent: written beside, flushed, read back, renamed. Only regular files are opened: a pipe would have
 * the process wait for ever, and a device may have no end.
 */
import { createHash } from 'node:crypto';
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { isSystemError, messageOf, reasonOf, UserError } from './errors';
import { objectIn, parseEditedJson } from './json';
import { isAlive } from './processes';

/** Milliseconds after which a draft is nobody's, whatever process made it: no file takes so long to write. */
const DAY = 24 * 60 * 60_000;
/** Tells the drafts of this host from those of others that share the directory. */
const HOST = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);

let draftsMade = 0;

/**
 * Writes a file so that a reader, or the next start after a power cut, sees the old content or the new, never a part.
 * Content may come in parts, which are written one after another. Where `keep` names a file, it becomes what was there
 * before. A link is replaced, not followed. A UserError names the file where it cannot be written, or where something else than
 * a file has its name; what was there is then as it was.
 */
export function writeFileAtomic(
  path: string,
  content: string | Uint8Array | readonly Uint8Array[],
  keep?: string,
): void {
  const parts = typeof content === 'string' ? [Buffer.from(content)] : [content].flat();
  writing(path, () => {
    refuseSpecial(path);
    const { draft, file } = openDraft(path);
    try {
      writeFlushed(file, parts);
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

/** A new file for what is to become `path`; its name is nobody else's: on a shared disk processes may have the same number. */
export function openDraft(path: string): { draft: string; file: number } {
  for (;;) {
    const draft = draftOf(path);
    try {
      return { draft, file: openSync(draft, 'wx') };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

/** A name for what is about to become `path`: `<path>.<host>.<process>-<number>.draft`. */
export function draftOf(path: string): string {
  return `${path}.${HOST}.${process.pid}-${draftsMade++}.draft`;
}

/**
 * Removes what killed processes were about to write in a directory, where there is one and it can be written: drafts of
 * processes of this host that are gone, and all that are older than a day, as nothing is known of the processes of others.
 */
export function removeDrafts(directory: string): void {
  const attempt = <T>(action: () => T): T | undefined => {
    try {
      return action();
    } catch (error) {
      if (!isSystemError(error)) throw error;
      return undefined;
    }
  };
  for (const name of attempt(() => readdirSync(directory)) ?? []) {
    const [, host = HOST, pid] = /\.(?:([0-9a-f]{8})\.)?(\d+)-\d+\.draft$/.exec(name) ?? [];
    if (pid === undefined) continue;
    const path = join(directory, name);
    const isGone = host === HOST && (Number(pid) === process.pid || !isAlive(Number(pid)));
    attempt(() => {
      if (isGone || Date.now() - lstatSync(path).mtimeMs > DAY) rmSync(path, { force: true });
    });
  }
}

/** Makes a folder for results, and removes drafts from it. A UserError names it where nothing can be written there. */
export function makeWritable(directory: string): void {
  makeDirectory(directory);
  writing(directory, () => accessSync(directory, constants.W_OK));
  removeDrafts(directory);
}

/** Makes a folder where there is none, and those above it. A UserError names it where that cannot be done. */
export function makeDirectory(path: string): void {
  writing(path, () => {
    try {
      mkdirSync(path, { recursive: true });
    } catch (error) {
      // On a read-only disk Node says ENOENT, but of a folder that it makes alone it tells the reason.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT' && !isThere(path)) mkdirSync(topmostMissing(path));
      throw error;
    }
  });
}

function topmostMissing(path: string): string {
  const above = dirname(path);
  return above === path || isThere(above) ? path : topmostMissing(above);
}

/** Throws a UserError where `writeFileAtomic` could not write a file, before work is done for it; removes drafts from its folder. */
export function refuseUnwritable(path: string): void {
  writing(path, () => {
    refuseSpecial(path);
    accessSync(dirname(path), constants.W_OK);
  });
  removeDrafts(dirname(path));
}

/** Does what writes a file, or into it; what goes wrong becomes a UserError that names the file. */
export function writing<T>(path: string, write: () => T): T {
  try {
    return write();
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`${path}: cannot be written: ${reasonOf(error, path)}`);
  }
}

/**
 * Opens a file to add to its end, and makes it where there is none. Throws where it is a link: what that leads to may lie
 * anywhere; and where it is no regular file: a pipe would be waited for until somebody reads it.
 */
export function openToAppend(path: string): number {
  const { O_APPEND, O_CREAT, O_NOFOLLOW = 0, O_NONBLOCK = 0, O_WRONLY } = constants;
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats && !stats.isFile() && !stats.isSymbolicLink()) throw new Error(SPECIAL);
  return openSync(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK, 0o666);
}

/** Does what reads a file; a UserError names it where it is missing, a folder, a pipe or a device, or cannot be read. */
export function reading<T>(path: string, read: () => T): T {
  try {
    if (!statSync(path).isFile()) throw new Error(SPECIAL);
    return read();
  } catch (error) {
    if (error instanceof UserError) throw error;
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      throw new UserError(`${path}: cannot be read: ${reasonOf(error, path)}`);
    }
    throw new UserError(isThere(path) ? `${path}: a link that leads nowhere` : `${path}: no such file`);
  }
}

/**
 * Whether anything has this name, also a link that leads nowhere. A file that may be missing is asked for in this way: such
 * a link, say to a disk that is not mounted, must not count as none.
 */
export function isThere(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Whether it is a regular file, or a link that leads to one. */
export function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Whether it is a folder, or a link that leads to one. */
export function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** Fills `target` with what a file has from a position on. Throws an Error where it ends before. */
export async function readRange(path: string, from: number, target: Uint8Array): Promise<void> {
  const file = await open(path);
  try {
    for (let at = 0; at < target.length;) {
      const { bytesRead } = await file.read(target, at, target.length - at, from + at);
      if (bytesRead === 0) throw new Error('it is cut off');
      at += bytesRead;
    }
  } finally {
    await file.close();
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

/** Reads a JSON file that holds an object; errors as those of `readJson`. */
export function readObject(path: string): Record<string, unknown> {
  const value = readJson(path);
  try {
    return objectIn(value);
  } catch (error) {
    throw new UserError(`${path}: ${messageOf(error)}`);
  }
}

/** Writes JSON with four spaces to a level. */
export function writeJson(path: string, value: unknown): void {
  writeFileAtomic(path, JSON.stringify(value, null, 4));
}

const SPECIAL = 'not a regular file';

/** Throws where a folder, a pipe or a device has this name, or a link that leads to one. */
function refuseSpecial(path: string): void {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats && !stats.isFile()) throw new Error(SPECIAL);
}

function writeFlushed(file: number, parts: readonly Uint8Array[]): void {
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

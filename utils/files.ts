/**
 * Atomic files, either complete or absent: written to a draft next to the target, flushed, read back, renamed. Only
 * regular files are opened: reading a pipe could block forever, and a device may have no end.
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

/** Age in milliseconds after which a draft is considered abandoned: no file takes this long to write. */
const DAY = 24 * 60 * 60_000;
/** Distinguishes drafts of this host from those of other hosts that share the directory. */
const HOST = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);

let draftsMade = 0;

/**
 * Writes a file atomically: a reader, or the next start after a power failure, sees either the old content or the new.
 * Content may come in parts, which are written one after another. If `keep` names a file, the old content moves there.
 * A link is replaced, not followed. Throws a UserError that names the file if it cannot be written or is not a regular
 * file; the old content is then unchanged.
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
      if (!holds(draft, parts)) throw new Error('the content read back differs from what was written');
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

/** A new draft of `path` under a unique name: on a shared disk, processes of two hosts may have the same ID. */
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

/** The name of a draft of `path`: `<path>.<host>.<process>-<number>.draft`. */
export function draftOf(path: string): string {
  return `${path}.${HOST}.${process.pid}-${draftsMade++}.draft`;
}

/**
 * Removes drafts that killed processes left in a directory, if it exists and is writable: those of dead processes of
 * this host, and all that are older than a day, since the processes of other hosts are unknown.
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

/**
 * Creates a folder for results and removes drafts from it. Throws a UserError that names the folder if it is not
 * writable.
 */
export function makeWritable(directory: string): void {
  makeDirectory(directory);
  writing(directory, () => accessSync(directory, constants.W_OK));
  removeDrafts(directory);
}

/** Creates a folder and its parents if missing. Throws a UserError that names the folder if this fails. */
export function makeDirectory(path: string): void {
  writing(path, () => makeFolders(path));
}

/**
 * Creates a folder and its parents if missing, one by one: `recursive` of Node.js up to 24 never ends below a folder that takes no
 * new ones and says ENOENT, as /proc does, and hides the reason on a read-only disk. Throws the error of the system.
 */
export function makeFolders(path: string): void {
  if (isDirectory(path)) return;
  const above = dirname(path);
  if (above !== path && !isThere(above)) makeFolders(above);
  try {
    mkdirSync(path);
  } catch (error) {
    // Another process may have been faster.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || !isDirectory(path)) throw error;
  }
}

/**
 * Checks, before any work is done, that `writeFileAtomic` can write a file, or throws a UserError; removes drafts from
 * its folder.
 */
export function refuseUnwritable(path: string): void {
  writing(path, () => {
    refuseSpecial(path);
    accessSync(dirname(path), constants.W_OK);
  });
  removeDrafts(dirname(path));
}

/** Runs a function that writes a file; errors become a UserError that names the file. */
export function writing<T>(path: string, write: () => T): T {
  try {
    return write();
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`${path}: cannot be written: ${reasonOf(error, path)}`);
  }
}

/**
 * Opens a file for appending and creates it if missing. Throws for a link, whose target could be anywhere, and for
 * anything but a regular file: opening a pipe blocks until somebody reads from it.
 */
export function openToAppend(path: string): number {
  const { O_APPEND, O_CREAT, O_NOFOLLOW = 0, O_NONBLOCK = 0, O_WRONLY } = constants;
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats && !stats.isFile() && !stats.isSymbolicLink()) throw new Error(SPECIAL);
  return openSync(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK, 0o666);
}

/**
 * Runs a function that reads a file. Throws a UserError that names the file if it is missing, unreadable, or a folder,
 * pipe or device.
 */
export function reading<T>(path: string, read: () => T): T {
  try {
    if (!statSync(path).isFile()) throw new Error(SPECIAL);
    return read();
  } catch (error) {
    if (error instanceof UserError) throw error;
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      throw new UserError(`${path}: cannot be read: ${reasonOf(error, path)}`);
    }
    throw new UserError(isThere(path) ? `${path}: broken link` : `${path}: no such file`);
  }
}

/**
 * Whether anything has this name, including a broken link. Used for optional files: a link to, say, a disk that is not
 * mounted must not count as a missing file.
 */
export function isThere(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Whether it is a regular file or a link to one. */
export function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Whether it is a folder or a link to one. */
export function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** Fills `target` with the bytes of a file from a position. Throws an Error if the file ends too early. */
export async function readRange(path: string, from: number, target: Uint8Array): Promise<void> {
  const file = await open(path);
  try {
    for (let at = 0; at < target.length;) {
      const { bytesRead } = await file.read(target, at, target.length - at, from + at);
      if (bytesRead === 0) throw new Error('it is truncated');
      at += bytesRead;
    }
  } finally {
    await file.close();
  }
}

/** The text of a file; throws as `reading` does. */
export function readText(path: string): string {
  return reading(path, () => readFileSync(path, 'utf8'));
}

/**
 * Reads and parses a JSON file; throws a UserError that names the file if it is missing, is not valid JSON or has a
 * duplicate key.
 */
export function readJson(path: string): unknown {
  const text = readText(path);
  try {
    return parseEditedJson(text);
  } catch (error) {
    throw new UserError(`${path}: not valid JSON: ${messageOf(error)}`);
  }
}

/** Reads a JSON file that holds an object; throws as `readJson` does. */
export function readObject(path: string): Record<string, unknown> {
  const value = readJson(path);
  try {
    return objectIn(value);
  } catch (error) {
    throw new UserError(`${path}: ${messageOf(error)}`);
  }
}

/** Writes JSON indented by four spaces. */
export function writeJson(path: string, value: unknown): void {
  writeFileAtomic(path, JSON.stringify(value, null, 4));
}

const SPECIAL = 'not a regular file';

/** Throws if the path is a folder, a pipe or a device, or a link to one. */
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

/** Whether the content of a file is exactly these parts. */
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

/**
 * Flushes a directory, which makes new names in it durable. Systems that cannot flush directories do so by themselves.
 */
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

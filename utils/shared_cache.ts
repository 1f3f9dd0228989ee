/**
 * A cache folder of bounded size that processes share. A file is complete or absent, and missing files can be computed
 * again: so no process waits for another, nothing is locked, and any file may be deleted at any time. An error in the
 * cache costs time, but never fails a run.
 */
import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { reasonOf } from './errors';
import { isFile, makeFolders, openDraft } from './files';

/** Share of the free space that a process uses before it checks again how much others have used. */
const SHARE = 1 / 8;
/** Milliseconds until a full folder is scanned again, and until a claim or a draft counts as abandoned. */
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

export class SharedCache {
  /** A second early, since file system clocks are coarse. */
  private readonly began = Date.now() - 1000;
  /** Files marked as used since this process started. */
  private readonly used = new Set<string>();
  /** Bytes that may be written before the folder is scanned again. */
  private allowance = 0;
  private fullUntil = 0;
  private isBroken = false;
  private hasWarned = false;

  /** The folder is created with its first file. `warn` receives errors, once for each kind. */
  constructor(
    readonly directory: string,
    private readonly maxBytes: number,
    private readonly warn: (line: string) => void,
  ) {}

  /** The content of a file, or `length` bytes of it from `offset`; undefined if it does not exist. */
  read(name: string, offset = 0, length?: number): Uint8Array | undefined {
    const path = join(this.directory, name);
    try {
      // A pipe would never end.
      if (!isFile(path)) return undefined;
      const content = length === undefined ? readFileSync(path) : readPart(path, offset, length);
      this.touch(name);
      return content;
    } catch {
      return undefined;
    }
  }

  has(name: string): boolean {
    return isFile(join(this.directory, name));
  }

  /** Names of the files in one of its folders, with their sizes in bytes. */
  list(folder: string): { name: string; bytes: number }[] {
    const names = attempt(() => readdirSync(join(this.directory, folder))) ?? [];
    return names.filter(isContent).flatMap((file) => {
      const name = join(folder, file);
      const stats = attempt(() => statSync(join(this.directory, name)));
      return stats?.isFile() ? [{ name, bytes: stats.size }] : [];
    });
  }

  /** Writes a file if there is space for it, and ends the claim to it; returns whether it was written. */
  write(name: string, content: Uint8Array): boolean {
    const path = join(this.directory, name);
    const hasRoom = this.hasRoom(content.length);
    if (hasRoom) {
      this.allowance -= content.length;
      this.writing(() => {
        makeFolders(dirname(path));
        writeWhole(path, content);
        this.used.add(name);
      });
    }
    attempt(() => rmSync(path + CLAIM, { force: true }));
    return hasRoom && !this.isBroken;
  }

  /**
   * Claims a file that this process is about to compute; false if another process has claimed it. A claim is only a
   * hint: its process may be dead.
   */
  claim(name: string): boolean {
    if (this.isBroken || performance.now() < this.fullUntil) return true;
    const path = join(this.directory, name + CLAIM);
    let isFree = true;
    this.writing(() => {
      makeFolders(dirname(path));
      try {
        closeSync(openSync(path, 'wx'));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
        isFree = false;
      }
    });
    return isFree;
  }

  /** Removes a damaged file. */
  discard(name: string): void {
    const path = join(this.directory, name);
    if (!this.hasWarned) this.warn(`${path}: damaged; its content is computed again`);
    this.hasWarned = true;
    attempt(() => rmSync(path, { force: true }));
  }

  /** Removes the whole cache. */
  remove(): void {
    attempt(() => rmSync(this.directory, { recursive: true, force: true }));
  }

  private hasRoom(bytes: number): boolean {
    if (this.isBroken || performance.now() < this.fullUntil) return false;
    if (this.allowance < bytes) this.survey();
    if (this.allowance >= bytes) return true;
    this.fullUntil = performance.now() + MINUTE;
    return false;
  }

  /**
   * Measures the folder and frees space: removes the least recently used files first, but none that were used since
   * this process started. Runs read the same files again in the same order, and would lose exactly those that they need
   * next.
   */
  private survey(): void {
    let total = 0;
    const idle: { path: string; bytes: number; usedAt: number }[] = [];
    for (const entry of attempt(() => readdirSync(this.directory, { recursive: true, withFileTypes: true })) ?? []) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const stats = attempt(() => statSync(path));
      if (!stats) continue;
      if (!isContent(entry.name) && Date.now() - stats.mtimeMs > HOUR) {
        attempt(() => rmSync(path, { force: true }));
        continue;
      }
      total += stats.size;
      if (isContent(entry.name) && stats.mtimeMs < this.began) {
        idle.push({ path, bytes: stats.size, usedAt: stats.mtimeMs });
      }
    }
    idle.sort((a, b) => b.usedAt - a.usedAt);
    while (total > (1 - SHARE) * this.maxBytes && idle.length > 0) {
      const { path, bytes } = idle.pop()!;
      attempt(() => rmSync(path, { force: true }));
      total -= bytes;
    }
    this.allowance = Math.max(0, SHARE * (this.maxBytes - total));
  }

  /** The modification time of a file records its last use, once per process. */
  private touch(name: string): void {
    if (this.used.has(name)) return;
    this.used.add(name);
    const now = new Date();
    attempt(() => utimesSync(join(this.directory, name), now, now));
  }

  private writing(write: () => void): void {
    try {
      write();
    } catch (error) {
      this.isBroken = true;
      this.warn(
        `${this.directory}: cannot be written: ${reasonOf(error, this.directory)}; continuing without this cache`,
      );
    }
  }
}

const CLAIM = '.claim';
const DRAFT = '.draft';

function isContent(name: string): boolean {
  return !name.endsWith(CLAIM) && !name.endsWith(DRAFT);
}

function writeWhole(path: string, content: Uint8Array): void {
  const { draft, file } = openDraft(path);
  try {
    try {
      writeFileSync(file, content);
    } finally {
      closeSync(file);
    }
    renameSync(draft, path);
  } catch (error) {
    attempt(() => rmSync(draft, { force: true }));
    throw error;
  }
}

/** A part of a file; shorter if the file ends earlier. */
function readPart(path: string, offset: number, length: number): Uint8Array {
  const file = openSync(path, 'r');
  try {
    const part = new Uint8Array(length);
    return part.subarray(0, readSync(file, part, 0, length, offset));
  } finally {
    closeSync(file);
  }
}

/** The result of a function, or undefined if it fails: another process may have been faster. */
function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}

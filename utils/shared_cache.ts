/**
 * A folder of bounded size, where processes leave for each other what took long to compute. A file is whole or absent, and
 * what is missing can be computed again: so nobody waits for anybody, nothing is locked, and anything in it may be deleted
 * at any time. What goes wrong with it costs time, and never a run.
 */
import {
  closeSync,
  mkdirSync,
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
import { isFile, openDraft } from './files';

/** Of the room that is left, the share that a process takes before it looks again what others have taken. */
const SHARE = 1 / 8;
/** Milliseconds until a full folder is looked through again, and until a claim or a draft is taken for forgotten. */
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

export class SharedCache {
  /** A second early: the clocks of file systems are coarse. */
  private readonly began = Date.now() - 1000;
  /** Files that are known to count as used since this process began. */
  private readonly used = new Set<string>();
  /** Bytes that may be written before the folder is looked through again. */
  private allowance = 0;
  private fullUntil = 0;
  private isBroken = false;
  private hasWarned = false;

  /** The folder is made with its first file. `warn` is told what goes wrong, once for each kind of trouble. */
  constructor(
    readonly directory: string,
    private readonly maxBytes: number,
    private readonly warn: (line: string) => void,
  ) {}

  /** The content of a file, of which `length` bytes from `offset` on may be asked for; undefined where there is none. */
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

  /** Names of the files in a folder of it, with their lengths in bytes. */
  list(folder: string): { name: string; bytes: number }[] {
    const names = attempt(() => readdirSync(join(this.directory, folder))) ?? [];
    return names.filter(isContent).flatMap((file) => {
      const name = join(folder, file);
      const stats = attempt(() => statSync(join(this.directory, name)));
      return stats?.isFile() ? [{ name, bytes: stats.size }] : [];
    });
  }

  /** Writes a file where there is room for it, and ends the claim to it; tells whether it was written. */
  write(name: string, content: Uint8Array): boolean {
    const path = join(this.directory, name);
    const hasRoom = this.hasRoom(content.length);
    if (hasRoom) {
      this.allowance -= content.length;
      this.writing(() => {
        mkdirSync(dirname(path), { recursive: true });
        writeWhole(path, content);
        this.used.add(name);
      });
    }
    attempt(() => rmSync(path + CLAIM, { force: true }));
    return hasRoom && !this.isBroken;
  }

  /**
   * Says that one is about to compute a file; false where another process has said so. That is a hint on what to do first
   * and no promise: it may be dead.
   */
  claim(name: string): boolean {
    if (this.isBroken || performance.now() < this.fullUntil) return true;
    const path = join(this.directory, name + CLAIM);
    let isFree = true;
    this.writing(() => {
      mkdirSync(dirname(path), { recursive: true });
      try {
        closeSync(openSync(path, 'wx'));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
        isFree = false;
      }
    });
    return isFree;
  }

  /** Removes a file that does not hold what it should. */
  discard(name: string): void {
    const path = join(this.directory, name);
    if (!this.hasWarned) this.warn(`${path}: damaged, what it held is computed again`);
    this.hasWarned = true;
    attempt(() => rmSync(path, { force: true }));
  }

  /** Removes all of it. */
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
   * Looks how much is there, and makes room: what was used the longest ago goes first, and nothing goes that was used since
   * this process began. Runs read the same again in the same order, and would lose just what they need next.
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

  /** The time of change of a file is that of its last use; once in a process is enough. */
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
      this.warn(`${this.directory}: cannot be written: ${reasonOf(error, this.directory)}; going on without`);
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

/** A part of a file; what is beyond its end is missing. */
function readPart(path: string, offset: number, length: number): Uint8Array {
  const file = openSync(path, 'r');
  try {
    const part = new Uint8Array(length);
    return part.subarray(0, readSync(file, part, 0, length, offset));
  } finally {
    closeSync(file);
  }
}

/** What is done, or undefined where it cannot be: another process may have been faster. */
function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}

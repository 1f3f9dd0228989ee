/** The lock of a run's directory: a file that names the process that works there. Whether it counts depends on that process. */
import { createHash } from 'node:crypto';
import { linkSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { messageOf, UserError } from './errors';
import { removeDrafts, writeFileAtomic } from './files';
import { isAlive } from './processes';

export interface Lock {
  /** Gives the directory free. Where the file cannot be removed, it counts no more once this process is gone. */
  release(): void;
}

/** The content of a lock file. */
interface Owner {
  pid: number;
  host: string;
  /** Start of the process in clock ticks since boot, which tells it from a later one of the same number; null: unknown. */
  started: string | null;
  /** When the lock was taken, in ISO 8601. */
  since: string;
}

/**
 * Takes the lock of `directory`, and removes what killed processes left half done in it. Throws a UserError that names
 * the owner where a living process holds it, or any process of another host, about which nothing can be known.
 */
export function acquireLock(directory: string): Lock {
  const path = lockPath(directory);
  const owner: Owner = {
    pid: process.pid,
    host: hostname(),
    started: processStat(process.pid)?.started ?? null,
    since: new Date().toISOString(),
  };
  const content = JSON.stringify(owner);
  const draft = `${path}.${hostname()}.${process.pid}-${draftsMade++}.draft`;
  try {
    try {
      writeFileSync(draft, content, { flush: true });
      acquire(path, draft, directory);
    } finally {
      rmSync(draft, { force: true });
    }
    removeDrafts(directory);
    removeLeftovers(directory);
  } catch (error) {
    throw error instanceof UserError ? error : new UserError(`${directory}: cannot be locked: ${messageOf(error)}`);
  }
  return {
    release() {
      try {
        if (readLock(path) === content) rmSync(path, { force: true });
      } catch {
        return;
      }
    },
  };
}

/** 'held': by a living process, or from another host; 'stale': its process is gone. */
export function lockState(directory: string): 'free' | 'held' | 'stale' {
  const content = readLock(lockPath(directory));
  if (content === undefined) return 'free';
  return holderOf(content) === undefined ? 'stale' : 'held';
}

/** The process of this host that holds the lock; undefined where there is none, or one of another host. */
export function lockHolder(directory: string): number | undefined {
  const content = readLock(lockPath(directory));
  const owner = content === undefined ? undefined : holderOf(content);
  return owner?.host === hostname() ? owner.pid : undefined;
}

let draftsMade = 0;

const lockPath = (directory: string) => join(directory, '.lock');

/**
 * Makes `path` a lock with the content of `draft`. A link appears whole or not at all, and only where nothing was.
 *
 * To replace a stale lock one must hold a second lock, whose name is derived from the stale one's content: so one
 * contender replaces it, and one that comes late, with the old content still in mind, finds that it has changed.
 */
function acquire(path: string, draft: string, directory: string): void {
  for (;;) {
    try {
      linkSync(draft, path);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const content = readLock(path);
    if (content === undefined) continue;
    const holder = holderOf(content);
    if (holder !== undefined) throw new UserError(inUse(directory, holder));
    const succession = `${path}.${createHash('sha256').update(content).digest('hex').slice(0, 16)}`;
    acquire(succession, draft, directory);
    try {
      if (readLock(path) === content) {
        writeFileAtomic(path, readFileSync(draft));
        return;
      }
    } finally {
      rmSync(succession, { force: true });
    }
  }
}

/** Removes second locks of processes that were killed while they sought the lock, which is ours now. */
function removeLeftovers(directory: string): void {
  for (const name of readdirSync(directory).filter((name) => /^\.lock\.[0-9a-f]{16}$/.test(name))) {
    const content = readLock(join(directory, name));
    if (content !== undefined && holderOf(content) === undefined) rmSync(join(directory, name), { force: true });
  }
}

function inUse(directory: string, { pid, host, since }: Owner): string {
  const line = `${directory}: already in use by process ${pid} on ${host} (started ${since})`;
  return host === hostname() ? line : `${line}; if that process is gone, delete ${lockPath(directory)}`;
}

function readLock(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The owner, where its lock counts; undefined for a process that is gone and for what is no lock of ours. */
function holderOf(content: string): Owner | undefined {
  const owner = parseOwner(content);
  return owner !== undefined && (owner.host !== hostname() || isAtWork(owner)) ? owner : undefined;
}

function parseOwner(content: string): Owner | undefined {
  try {
    const owner = JSON.parse(content) as Owner | null;
    return owner !== null && Number.isInteger(owner.pid) && owner.pid > 0 && typeof owner.host === 'string'
      ? owner
      : undefined;
  } catch {
    return undefined;
  }
}

function isAtWork({ pid, started }: Owner): boolean {
  if (!isAlive(pid)) return false;
  const stat = processStat(pid);
  return stat === undefined || (stat.state !== 'Z' && (started === null || started === stat.started));
}

/** State (Z: ended, not yet collected by its parent) and start of a process; undefined where there is no /proc. */
function processStat(pid: number): { state: string; started: string } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // Fields 3 and 22 of proc(5); the second, the name in parentheses, may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0]!, started: fields[19]! };
  } catch {
    return undefined;
  }
}

/**
 * The lock of a directory: a file `.lock` that names the process that works there.
 *
 * Whether a lock still counts is decided as follows; "this machine" is one boot of one kernel with one numbering of processes.
 *
 * | the owner's process | the lock counts |
 * | --- | --- |
 * | of this machine | while the process lives |
 * | of this machine before its last boot (same host name and machine id) | no longer |
 * | an earlier start of this Slurm job | no longer: Slurm restarts a job only once it is gone |
 * | of any other machine or container | while the file's time stamp is renewed, which its owner does every 10 seconds; after 120 seconds without, by the clock of the file system, no longer |
 */
import { createHash } from 'node:crypto';
import { linkSync, lstatSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { messageOf, UserError } from '../utils/errors';
import { draftOf, removeDrafts, writeFileAtomic } from '../utils/files';
import { runFiles } from './files';
import { startHeartbeat, stopHeartbeat } from './heartbeat';
import { isAlive } from '../utils/processes';

export interface Lock {
  /**
   * Throws a UserError where another process has taken the lock over, as it may when this one was suspended for minutes, and
   * where the directory was removed; call it before writing. A lock file that alone was deleted is made again.
   */
  assertHeld(): void;
  /** Frees the directory. Where the file cannot be removed, it no longer counts once this process is gone. */
  release(): void;
}

/** The content of a lock file. */
export interface LockOwner {
  pid: number;
  host: string;
  /** Start of the process in clock ticks since boot, which tells it from a later one of the same number; null: unknown. */
  started: string | null;
  /** When the lock was taken, in ISO 8601. */
  since: string;
  /** Machine id, boot id and PID namespace; absent where the system has none, and in locks of earlier versions. */
  machine?: string;
  boot?: string;
  pids?: string;
  /** The Slurm job and how often Slurm had restarted it. */
  job?: string;
  restarts?: number;
  /** Seconds between two signs of life; absent in locks of earlier versions, which give none. */
  heartbeat?: number;
}

/** Seconds between two signs of life, and without one until a lock of another machine no longer counts. */
const HEARTBEAT_SECONDS = 10;
export const SILENCE_SECONDS = 120;

/**
 * Takes the lock of `directory`, and removes what killed processes left half done in it. Throws a UserError that names
 * the owner where its lock still counts.
 *
 * `witness`: a file that is there from first to last. Where the lock file was deleted and the witness is gone or another one, the
 * whole directory was removed, and perhaps made anew by others.
 */
export function acquireLock(directory: string, witness?: string): Lock {
  const path = lockPath(directory);
  const content = JSON.stringify(ownerHere());
  const before = witness && identityOf(join(directory, witness));
  let wasDeleted = false;
  const refuseAnother = () => {
    if (!wasDeleted || before === undefined || identityOf(join(directory, witness!)) === before) return;
    throw new UserError(`${directory}: was removed, in whole or in part, while this process worked there`);
  };
  const take = () => {
    const draft = draftOf(path);
    try {
      writeFileSync(draft, content, { flush: true });
      acquire(path, draft, directory);
    } catch (error) {
      throw error instanceof UserError ? error : new UserError(`${directory}: cannot be locked: ${messageOf(error)}`);
    } finally {
      rmSync(draft, { force: true });
    }
  };
  take();
  try {
    removeDrafts(directory);
    removeLeftovers(directory);
  } catch (error) {
    throw error instanceof UserError ? error : new UserError(`${directory}: cannot be locked: ${messageOf(error)}`);
  }
  startHeartbeat(path, content, HEARTBEAT_SECONDS);
  return {
    assertHeld() {
      const now = readLock(path);
      if (now === content) return refuseAnother();
      if (now !== undefined) {
        throw new UserError(`${inUse(directory, now)}; it took the lock over while this process stood still`);
      }
      wasDeleted = true;
      refuseAnother();
      take();
    },
    release() {
      stopHeartbeat(path);
      try {
        if (readLock(path) === content) rmSync(path, { force: true });
      } catch {
        return;
      }
    },
  };
}

/** 'held': by a process that lives, as far as can be told; 'stale': its process is gone. `now` is in milliseconds. */
export function lockState(directory: string, now = () => fileClock(directory)): 'free' | 'held' | 'stale' {
  const content = readLock(lockPath(directory));
  if (content === undefined) return 'free';
  return holderOf(lockPath(directory), content, now) === undefined ? 'stale' : 'held';
}

/** Who holds the lock of a directory; undefined where nobody does. */
export function lockOwner(directory: string): LockOwner | undefined {
  const path = lockPath(directory);
  const content = readLock(path);
  return content === undefined ? undefined : holderOf(path, content, () => fileClock(directory));
}

/** The process of this machine that holds the lock; undefined where there is none, or one of another machine. */
export function lockHolder(directory: string): number | undefined {
  const owner = lockOwner(directory);
  return owner && isOfThisMachine(owner) ? owner.pid : undefined;
}

/** Who holds a lock, since when and, where it is of another machine, until when it counts: for a line to the user. */
export function describeHolder(directory: string, owner: LockOwner): string {
  const { pid, host, since, heartbeat } = owner;
  const line = `process ${pid} on ${host} (started ${since})`;
  if (isOfThisMachine(owner)) return line;
  if (heartbeat === undefined) return `${line}; if that process is gone, delete ${lockPath(directory)}`;
  const silence = Math.max(0, Math.round(silenceOf(lockPath(directory), fileClock(directory)) / 1000));
  return (
    `${line}; its last sign of life was ${silence} s ago, after ${SILENCE_SECONDS} s without one the lock no longer ` +
    `counts; if that process is gone, you can delete ${lockPath(directory)} now`
  );
}

/** Removes the lock that a Slurm job left behind; that the job is over is for the caller to know. */
export function removeLockOf(directory: string, job: string): void {
  const content = readLock(lockPath(directory));
  if (content !== undefined && parseOwner(content)?.job === job) rmSync(lockPath(directory), { force: true });
}

const lockPath = (directory: string) => join(directory, runFiles.lock);

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
    const holder = holderOf(path, content, () => statSync(draft).mtimeMs);
    if (holder !== undefined) throw new UserError(inUse(directory, content));
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
    const owner = content === undefined ? undefined : parseOwner(content);
    if (owner && (!isOfThisMachine(owner) || isRunning(owner))) continue;
    rmSync(join(directory, name), { force: true });
  }
}

/** What tells a file from another one of its name; undefined where there is none. */
function identityOf(path: string): string | undefined {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stats && `${stats.ino} ${stats.mtimeNs}`;
}

function inUse(directory: string, content: string): string {
  const owner = parseOwner(content);
  const who = owner ? describeHolder(directory, owner) : 'an unknown process';
  return `${directory}: already in use by ${who}`;
}

/** The content of a lock file; undefined where there is none. A UserError names what is no regular file. */
function readLock(path: string): string | undefined {
  try {
    if (!lstatSync(path).isFile()) throw new UserError(`${path}: cannot be read: not a regular file`);
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** What this process writes into its locks. */
function ownerHere(): LockOwner {
  const { SLURM_JOB_ID: job, SLURM_RESTART_COUNT: restarts = '0' } = process.env;
  return {
    pid: process.pid,
    host: hostname(),
    started: processStat(process.pid)?.started ?? null,
    since: new Date().toISOString(),
    ...machineHere(),
    ...(job !== undefined && { job, restarts: Number(restarts) }),
    heartbeat: HEARTBEAT_SECONDS,
  };
}

function machineHere(): Pick<LockOwner, 'machine' | 'boot' | 'pids'> {
  const text = (read: () => string) => {
    try {
      return read().trim() || undefined;
    } catch {
      return undefined;
    }
  };
  const machine = text(() => readFileSync('/etc/machine-id', 'utf8'));
  const boot = text(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8'));
  const pids = text(() => readlinkSync('/proc/self/ns/pid'));
  return { ...(machine && { machine }), ...(boot && { boot }), ...(pids && { pids }) };
}

/** Whether process numbers of the owner mean here what they meant to it; by the host's name where nothing else is known. */
function isOfThisMachine({ host, boot, pids }: LockOwner): boolean {
  const here = machineHere();
  if (boot === undefined || here.boot === undefined) return host === hostname();
  return boot === here.boot && pids === here.pids;
}

/** The owner, where its lock counts at the time `now`; undefined for a process that is gone and for what is no lock of ours. */
function holderOf(path: string, content: string, now: () => number): LockOwner | undefined {
  const owner = parseOwner(content);
  return owner && counts(owner, path, now) ? owner : undefined;
}

function counts(owner: LockOwner, path: string, now: () => number): boolean {
  if (isOfThisMachine(owner)) return isRunning(owner);
  const here = ownerHere();
  const isBeforeBoot = owner.host === here.host && owner.machine !== undefined && owner.machine === here.machine;
  if (isBeforeBoot && owner.boot !== here.boot) return false;
  if (owner.job !== undefined && owner.job === here.job && owner.restarts! < here.restarts!) return false;
  return owner.heartbeat === undefined || silenceOf(path, now()) <= 1000 * SILENCE_SECONDS;
}

/** Milliseconds since the last sign of life in a lock; endless where it is gone. */
function silenceOf(path: string, now: number): number {
  return now - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? -Infinity);
}

/** The time by the clock of the file system that a directory is on; that of this machine where it cannot be written to. */
function fileClock(directory: string): number {
  const probe = draftOf(lockPath(directory));
  try {
    writeFileSync(probe, '');
    return statSync(probe).mtimeMs;
  } catch {
    return Date.now();
  } finally {
    rmSync(probe, { force: true });
  }
}

function parseOwner(content: string): LockOwner | undefined {
  try {
    const owner = JSON.parse(content) as LockOwner | null;
    return owner !== null && Number.isInteger(owner.pid) && owner.pid > 0 && typeof owner.host === 'string'
      ? owner
      : undefined;
  } catch {
    return undefined;
  }
}

function isRunning({ pid, started }: LockOwner): boolean {
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

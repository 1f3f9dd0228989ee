/**
 * The lock of a directory: a file `.lock` that names the process working there.
 *
 * Whether a lock is still valid is decided as follows; "this machine" means one boot of one kernel with one PID
 * namespace.
 *
 * | the owner's process | the lock is valid |
 * | --- | --- |
 * | of this machine | while the process is alive |
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
import { isAlive } from '../utils/processes';
import { runFiles } from './files';
import { startHeartbeat, stopHeartbeat } from './heartbeat';

export interface Lock {
  /**
   * Throws a UserError if another process has taken over the lock, as it may when this one was suspended for minutes,
   * or if the directory was removed; call it before writing. If only the lock file was deleted, it is created again.
   */
  assertHeld(): void;
  /** Releases the directory. If the file cannot be removed, it becomes invalid when this process ends. */
  release(): void;
}

/** The content of a lock file. */
export interface LockOwner {
  pid: number;
  host: string;
  /**
   * Start of the process in clock ticks since boot, which distinguishes it from a later process with the same ID; null
   * if unknown.
   */
  started: string | null;
  /** When the lock was taken, in ISO 8601. */
  since: string;
  /** Machine id, boot id and PID namespace; absent if the system has none, and in locks of earlier versions. */
  machine?: string;
  boot?: string;
  pids?: string;
  /** The job of Slurm or Ray, and how often Slurm had restarted it. */
  job?: string;
  restarts?: number;
  /** Seconds between two heartbeats; absent in locks of earlier versions, which have none. */
  heartbeat?: number;
}

/** Seconds between two heartbeats, and seconds without one after which a lock of another machine is invalid. */
const HEARTBEAT_SECONDS = 10;
export const SILENCE_SECONDS = 120;

/**
 * Takes the lock of `directory` and removes drafts that killed processes left in it. Throws a UserError that names the
 * owner if its lock is still valid.
 *
 * `witness`: a file that exists all the time. If the lock file was deleted and the witness is missing or a different
 * file, the whole directory was removed, and perhaps created again by someone else.
 */
export function acquireLock(directory: string, witness?: string): Lock {
  const path = lockPath(directory);
  const content = JSON.stringify(ownerHere());
  const before = witness && identityOf(join(directory, witness));
  let wasDeleted = false;
  const refuseAnother = () => {
    if (!wasDeleted || before === undefined || identityOf(join(directory, witness!)) === before) return;
    throw new UserError(`${directory}: was removed, completely or in part, while this process was working there`);
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
        throw new UserError(`${inUse(directory, now)}; it took over the lock while this process was suspended`);
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

/** 'held': its process is alive, as far as is known; 'stale': its process is gone. `now` is in milliseconds. */
export function lockState(directory: string, now = () => fileClock(directory)): 'free' | 'held' | 'stale' {
  const content = readLock(lockPath(directory));
  if (content === undefined) return 'free';
  return holderOf(lockPath(directory), content, now) === undefined ? 'stale' : 'held';
}

/** The owner of the lock of a directory; undefined if there is none. */
export function lockOwner(directory: string): LockOwner | undefined {
  const path = lockPath(directory);
  const content = readLock(path);
  return content === undefined ? undefined : holderOf(path, content, () => fileClock(directory));
}

/** The process of this machine that holds the lock; undefined if there is none or the owner is on another machine. */
export function lockHolder(directory: string): number | undefined {
  const owner = lockOwner(directory);
  return owner && isOfThisMachine(owner) ? owner.pid : undefined;
}

/**
 * Who holds a lock, since when and, for an owner on another machine, how long it stays valid: for a line to the user.
 */
export function describeHolder(directory: string, owner: LockOwner): string {
  const { pid, host, since, heartbeat } = owner;
  const line = `process ${pid} on ${host} (started ${since})`;
  if (isOfThisMachine(owner)) return line;
  if (heartbeat === undefined) return `${line}; if that process is gone, delete ${lockPath(directory)}`;
  const silence = Math.max(0, Math.round(silenceOf(lockPath(directory), fileClock(directory)) / 1000));
  return (
    `${line}; its last heartbeat was ${silence} s ago, after ${SILENCE_SECONDS} s without one the lock is no longer ` +
    `valid; if that process is gone, you can delete ${lockPath(directory)} now`
  );
}

/** Removes the lock that a job of Slurm or Ray left behind; the caller must know that the job has ended. */
export function removeLockOf(directory: string, job: string): void {
  const content = readLock(lockPath(directory));
  if (content !== undefined && parseOwner(content)?.job === job) rmSync(lockPath(directory), { force: true });
}

const lockPath = (directory: string) => join(directory, runFiles.lock);

/**
 * Creates the lock `path` with the content of `draft`. A link appears complete or not at all, and only if nothing
 * exists there.
 *
 * To replace a stale lock, a process must hold a second lock, whose name is derived from the content of the stale one:
 * so only one contender replaces it, and a late one that has read the old content finds that it has changed.
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

/** Removes second locks of processes that were killed while they tried to take the lock, which is ours now. */
function removeLeftovers(directory: string): void {
  for (const name of readdirSync(directory).filter((name) => /^\.lock\.[0-9a-f]{16}$/.test(name))) {
    const content = readLock(join(directory, name));
    const owner = content === undefined ? undefined : parseOwner(content);
    if (owner && (!isOfThisMachine(owner) || isRunning(owner))) continue;
    rmSync(join(directory, name), { force: true });
  }
}

/** Distinguishes a file from a later one with the same name; undefined if there is none. */
function identityOf(path: string): string | undefined {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stats && `${stats.ino} ${stats.mtimeNs}`;
}

function inUse(directory: string, content: string): string {
  const owner = parseOwner(content);
  const who = owner ? describeHolder(directory, owner) : 'an unknown process';
  return `${directory}: already in use by ${who}`;
}

/** The content of a lock file; undefined if there is none. Throws a UserError if it is not a regular file. */
function readLock(path: string): string | undefined {
  try {
    if (!lstatSync(path).isFile()) throw new UserError(`${path}: cannot be read: not a regular file`);
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The content of this process's locks. */
function ownerHere(): LockOwner {
  const { DISTILLERY_JOB, SLURM_JOB_ID: job = DISTILLERY_JOB, SLURM_RESTART_COUNT: restarts = '0' } = process.env;
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

/** Whether the owner's process IDs are valid on this machine; decided by host name if nothing else is known. */
function isOfThisMachine({ host, boot, pids }: LockOwner): boolean {
  const here = machineHere();
  if (boot === undefined || here.boot === undefined) return host === hostname();
  return boot === here.boot && pids === here.pids;
}

/**
 * The owner, if its lock is valid at the time `now`; undefined if its process is gone or the file is not one of our
 * locks.
 */
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

/** Milliseconds since the last heartbeat in a lock; Infinity if it is gone. */
function silenceOf(path: string, now: number): number {
  return now - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? -Infinity);
}

/** The time by the clock of the file system of a directory; by the clock of this machine if it is not writable. */
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

/** State (Z: zombie) and start of a process; undefined if there is no /proc. */
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

/** Children as processes of this machine. */
import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { lockHolder, lockOwner } from '../../runs/lock';
import { openToAppend, writing } from '../../utils/files';
import type { Ending, Job, Launcher, Signal } from './launcher';
import { newLog } from './launcher_log';

/**
 * Runs `trainer`, a program with its arguments, as `<trainer> --model_dir <directory>`. Each child leads a process group
 * of its own, so that a Ctrl-C reaches it once, by way of the search.
 */
export function localLauncher(trainer: readonly string[], pollMs: number): Launcher {
  const [program, ...args] = trainer;
  return {
    launch(directory) {
      const log = newLog(directory);
      const stderr = writing(log, () => openToAppend(log));
      const child = spawn(program!, [...args, '--model_dir', directory], {
        stdio: ['ignore', 'ignore', stderr],
        detached: true,
        windowsHide: true,
      });
      closeSync(stderr);
      const began = performance.now();
      return Promise.resolve({
        ended: new Promise((resolve) => {
          child.on('error', ({ message }) => resolve({ how: message }));
          child.on('exit', (code, signal) => resolve(endingOf(code, signal)));
        }),
        status: () => ({
          ...(child.pid !== undefined && { id: String(child.pid) }),
          seconds: (performance.now() - began) / 1000,
        }),
        signal: (signal) => void child.kill(signal),
      });
    },
    resume: (directory) => Promise.resolve(adopt(directory, pollMs)),
  };
}

/** A kill that the search did not ask for is most often that of a system short of memory; 128 + 9 is how shells report it. */
function endingOf(code: number | null, signal: NodeJS.Signals | null): Ending {
  if (signal === 'SIGKILL' || code === 137) return { how: 'killed, probably out of memory', isKilled: true };
  return { how: signal === null ? `exit code ${code}` : `ended by ${signal}` };
}

/**
 * The run that holds the lock of a directory, which another process of this machine has begun; undefined where there is none
 * that would obey this one.
 */
export function adopt(directory: string, pollMs: number): Job | undefined {
  const send = (signal: Signal | 0) => {
    const holder = lockHolder(directory);
    return holder !== undefined && obeys(holder, signal);
  };
  if (!send(0)) return undefined;
  const since = Date.parse(lockOwner(directory)?.since ?? '');
  const id = lockHolder(directory);
  return {
    ended: leaving(directory, pollMs),
    status: () => ({ ...(id && { id: String(id) }), seconds: Math.max(0, Date.now() - since || 0) / 1000 }),
    signal: (signal) => void send(signal),
  };
}

/** Whether a signal reaches a process; 0 only asks. It does not where the process has just ended, or is another user's. */
function obeys(pid: number, signal: Signal | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

async function leaving(directory: string, pollMs: number): Promise<Ending> {
  while (lockHolder(directory) !== undefined) await wait(pollMs);
  return { how: 'ended unseen', isUnseen: true };
}

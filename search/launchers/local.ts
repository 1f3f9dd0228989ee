/** Children as processes of this machine. */
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { lockHolder, lockState } from '../../utils/lock';
import { LAUNCHER_LOG } from '../child';
import type { Job, Launcher } from './launcher';

/**
 * Runs `trainer`, a program with its arguments, as `<trainer> --model_dir <directory>`. Each child leads a process group
 * of its own, so that a Ctrl-C reaches it once, by way of the search.
 */
export function localLauncher(trainer: readonly string[], pollMs: number): Launcher {
  const [program, ...args] = trainer;
  return {
    launch(directory) {
      const stderr = openSync(join(directory, LAUNCHER_LOG), 'w');
      const child = spawn(program!, [...args, '--model_dir', directory], {
        stdio: ['ignore', 'ignore', stderr],
        detached: true,
        windowsHide: true,
      });
      closeSync(stderr);
      return Promise.resolve({
        ended: new Promise((resolve) => {
          child.on('error', ({ message }) => resolve({ how: message }));
          child.on('exit', (code, signal) =>
            resolve({ how: signal === null ? `exit code ${code}` : `ended by ${signal}` }),
          );
        }),
        isWaiting: () => false,
        signal: (signal) => void child.kill(signal),
      });
    },
    resume: (directory) => Promise.resolve(adopt(directory, pollMs)),
  };
}

/** The run that holds the lock of a directory, which another process has begun. */
export function adopt(directory: string, pollMs: number): Job | undefined {
  if (lockState(directory) !== 'held') return undefined;
  return {
    ended: new Promise((resolve) => {
      const timer = setInterval(() => {
        if (lockState(directory) === 'held') return;
        clearInterval(timer);
        resolve({ how: 'ended unseen' });
      }, pollMs);
    }),
    isWaiting: () => false,
    signal(signal) {
      const holder = lockHolder(directory);
      if (holder !== undefined) process.kill(holder, signal);
    },
  };
}

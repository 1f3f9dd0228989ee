/**
 * Ctrl-C, SIGTERM and a closed terminal (SIGHUP): the first signal requests an orderly end. A second Ctrl-C or SIGTERM
 * ends the process at once; a second SIGHUP does not, since shell and system both send one.
 */
import { closeSync } from 'node:fs';
import { finishLiveLines } from './live_lines';

export interface Interrupt {
  readonly requested: boolean;
  /** 128 + the signal's number, as shells report it. */
  readonly exitCode: number;
}

const numbers = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

/** Starts to listen. `announce` shows a line; by default on stderr. */
export function onInterrupt(
  announce: (line: string) => void = (line) =>
    // Behind the `^C` that the terminal writes.
    void process.stderr.write(finishLiveLines() ? `${line}\n` : `\n${line}\n`),
): Interrupt {
  const interrupt = { requested: false, exitCode: 0 };
  let isAsked = false;
  onEnding((signal, exitCode) => {
    if (isAsked && signal !== 'SIGHUP') process.exit(exitCode);
    isAsked ||= signal !== 'SIGHUP';
    if (interrupt.requested) return;
    interrupt.requested = true;
    interrupt.exitCode = exitCode;
    announce('Saving; press Ctrl-C again to quit at once.');
  });
  return interrupt;
}

/** Calls `handle` with each termination signal and the exit code that shells report for it. */
export function onEnding(handle: (signal: keyof typeof numbers, exitCode: number) => void): void {
  process.once('SIGHUP', leaveTerminal);
  for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => handle(signal, 128 + numbers[signal]));
  }
}

let hasLeft = false;

/** Closes the standard streams if the terminal may be gone: at exit, Node aborts if it cannot reset a terminal. */
export function leaveTerminal(): void {
  if (!hasLeft) process.once('exit', closeTerminal);
  hasLeft = true;
}

function closeTerminal(): void {
  for (const stream of [0, 1, 2]) {
    try {
      closeSync(stream);
    } catch {
      // It is closed already.
    }
  }
}

/** The log of a run: console messages, also written to a file with time and level. */
import { appendFileSync, closeSync, readFileSync } from 'node:fs';
import { openToAppend, writing } from './files';
import { printLine } from './live_lines';
import { printable } from './printable';

export interface Log {
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/**
 * Opens a log at the end of `path`. A message, made printable, goes to stdout (or to `print`), and to the file as
 * `YYYY-MM-DD HH:MM:SS,mmm:LEVEL: <message>` in local time, each line in one append. Throws a UserError that names the
 * file if it cannot be written.
 */
export function openLog(path: string, print: (message: string) => void = printLine): Log {
  const append = (text: string) =>
    writing(path, () => {
      const file = openToAppend(path);
      try {
        appendFileSync(file, text);
      } finally {
        closeSync(file);
      }
    });
  append('');
  // A full disk may have cut off the last line.
  if (/[^\n]/.test(readFileSync(path, 'latin1').slice(-1))) append('\n');
  const write = (level: string) => (text: string) => {
    const message = printable(text);
    for (const line of message.split('\n')) append(`${timestamp(new Date())}:${level}: ${line}\n`);
    print(message);
  };
  return { info: write('INFO'), warn: write('WARNING'), error: write('ERROR') };
}

/** A time as `YYYY-MM-DD HH:MM:SS,mmm` in local time. */
export function timestamp(date: Date): string {
  const digits = (value: number, length = 2) => String(value).padStart(length, '0');
  const day = [digits(date.getFullYear(), 4), digits(date.getMonth() + 1), digits(date.getDate())].join('-');
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map((value) => digits(value)).join(':');
  return `${day} ${time},${digits(date.getMilliseconds(), 3)}`;
}

/** Metrics on one line, in order: `accuracy: 0.453 ; loss: 1.503`. */
export function formatMetrics(metrics: Record<string, number>): string {
  return Object.entries(metrics)
    .map(([name, value]) => `${name}: ${value.toFixed(3).padStart(5)}`)
    .join(' ; ');
}

/** Buffers lines until there is a log: `open` flushes them to it, and later lines pass straight through. */
export function deferredLog(): {
  readonly lines: readonly (readonly [level: 'info' | 'warn', line: string])[];
  readonly say: (level: 'info' | 'warn', line: string) => void;
  readonly open: (log: Log) => void;
} {
  const lines: ['info' | 'warn', string][] = [];
  let opened: Log | undefined;
  return {
    lines,
    say(level, line) {
      if (opened) opened[level](line);
      else lines.push([level, line]);
    },
    open(log) {
      opened = log;
    },
  };
}

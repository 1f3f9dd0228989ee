/** The log of a run: what the console says, kept in a file with time and level. */
import { appendFileSync } from 'node:fs';
import { messageOf, UserError } from './errors';

export interface Log {
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/**
 * Opens a log at the end of `path`. A message goes to stdout (or to `print`) as it is, and to the file as
 * `YYYY-MM-DD HH:MM:SS,mmm:LEVEL: <message>` in local time, each line in one append.
 */
export function openLog(
  path: string,
  print: (message: string) => void = (message) => void process.stdout.write(`${message}\n`),
): Log {
  try {
    appendFileSync(path, '');
  } catch (error) {
    throw new UserError(`${path}: cannot be written: ${messageOf(error)}`);
  }
  const write = (level: string) => (message: string) => {
    for (const line of message.split('\n')) appendFileSync(path, `${timestamp(new Date())}:${level}: ${line}\n`);
    print(message);
  };
  return { info: write('INFO'), warn: write('WARNING'), error: write('ERROR') };
}

/** A moment as `YYYY-MM-DD HH:MM:SS,mmm` in local time. */
export function timestamp(date: Date): string {
  const digits = (value: number, length = 2) => String(value).padStart(length, '0');
  const day = [digits(date.getFullYear(), 4), digits(date.getMonth() + 1), digits(date.getDate())].join('-');
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map((value) => digits(value)).join(':');
  return `${day} ${time},${digits(date.getMilliseconds(), 3)}`;
}

/** Metrics on one line, in their order: `accuracy: 0.453 ; loss: 1.503`. */
export function formatMetrics(metrics: Record<string, number>): string {
  return Object.entries(metrics)
    .map(([name, value]) => `${name}: ${value.toFixed(3).padStart(5)}`)
    .join(' ; ');
}

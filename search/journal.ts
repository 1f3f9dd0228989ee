/** The journal of a search: what was decided and what came of it, one JSON object a line, only ever appended. */
import { appendFileSync, closeSync, existsSync, fsyncSync, openSync, readFileSync, truncateSync } from 'node:fs';
import { messageOf, UserError } from '../utils/errors';
import type { Settings } from './settings';
import { isObject } from './settings_schema';
import type { Point } from './space';

/** How a repeat of a trial went: the metric as the trainer reports it (null: not a number) after so many epochs. */
interface Outcome {
  readonly name: string;
  readonly repeat: number;
  readonly value: number | null;
  readonly epochs: number;
}

/** Trials are told by the names of their directories. */
export type Event =
  | { readonly event: 'search'; readonly settings: Settings; readonly params: object }
  /** `trial`: the number for which the sampler gave the point. */
  | { readonly event: 'proposed'; readonly name: string; readonly trial: number; readonly point: Point }
  | { readonly event: 'started'; readonly name: string; readonly repeat: number }
  | ({ readonly event: 'finished' } & Outcome)
  | ({ readonly event: 'pruned' } & Outcome)
  | { readonly event: 'failed'; readonly name: string; readonly repeat: number; readonly reason: string };

const kinds = ['search', 'proposed', 'started', 'finished', 'pruned', 'failed'];

/**
 * The events of a journal; none where there is no file. A last line without an end is left out: its writer was killed
 * before anything followed from it. Throws a UserError for any other line that is no event.
 */
export function readJournal(path: string): Event[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  return lines.map((line, index) => {
    const event = parse(line);
    if (!isObject(event) || !kinds.includes(event.event as string)) {
      throw new UserError(`${path}: line ${index + 1} is no event of a search; ${repair}`);
    }
    if (index === 0 && event.event !== 'search') {
      throw new UserError(`${path}: does not begin with a search; ${repair}`);
    }
    return event as unknown as Event;
  });
}

const repair = 'move the file away to begin anew: finished trials are kept';

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** A journal that is open for further events. */
export class Journal {
  private readonly file: number;

  /** Opens or makes the file; a last line without an end is removed. */
  constructor(private readonly path: string) {
    try {
      if (existsSync(path)) truncateSync(path, readFileSync(path).lastIndexOf('\n') + 1);
      this.file = openSync(path, 'a');
    } catch (error) {
      throw this.failure(error);
    }
  }

  /** Adds an event with the time; it is on the disk when this returns. */
  append(event: Event): void {
    try {
      appendFileSync(this.file, `${JSON.stringify({ time: new Date().toISOString(), ...event })}\n`);
      fsyncSync(this.file);
    } catch (error) {
      throw this.failure(error);
    }
  }

  close(): void {
    closeSync(this.file);
  }

  private failure(error: unknown): UserError {
    return new UserError(`${this.path}: cannot be written: ${messageOf(error)}`);
  }
}

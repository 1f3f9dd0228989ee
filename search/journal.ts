/** The journal of a search: what was decided and what came of it, one JSON object a line, only ever appended. */
import { appendFileSync, closeSync, fsyncSync, ftruncateSync, readFileSync } from 'node:fs';
import { readJournalLines } from '../runs/journal';
import { UserError } from '../utils/errors';
import { isThere, openToAppend, reading, writing } from '../utils/files';
import { isObject } from '../utils/json';
import { mistakes, type Schema } from '../utils/schema';
import { withPresentNames } from './settings/former_names';
import type { Settings } from './settings/settings';
import { PATH, spaceSchema } from './space/schema';
import type { Point } from './space/space';

/** How a repeat of a trial went: the metric as the trainer reports it (null: not a number) after so many epochs. */
interface Outcome {
  readonly name: string;
  readonly repeat: number;
  readonly value: number | null;
  readonly epochs: number;
}

/** The running time of a job, and of all jobs of a repeat, in seconds; time in which they wait or are suspended does not count. */
export interface JobTime {
  readonly repeat: number;
  readonly job: string;
  readonly seconds: number;
  readonly total: number;
}

/** A trial that another program ran. */
export interface ImportedTrial {
  readonly number: number;
  readonly point: Point;
  readonly state: 'complete' | 'pruned' | 'failed';
  /** The metric; null: none, or not a number. */
  readonly value: number | null;
  readonly epochs: number;
}

/** Trials are told by the names of their directories. */
export type Event =
  | { readonly event: 'search'; readonly settings: Settings; readonly params: Record<string, unknown> }
  /** `trial`: the number for which the sampler gave the point. */
  | { readonly event: 'proposed'; readonly name: string; readonly trial: number; readonly point: Point }
  | { readonly event: 'started'; readonly name: string; readonly repeat: number }
  /** What trains a repeat (a Slurm job, a process), how long it has run so far, and how long the repeat was trained in all. */
  | ({ readonly event: 'job'; readonly name: string } & JobTime)
  /** Trials of a study from elsewhere, which the sampler learns from. */
  | { readonly event: 'imported'; readonly study: string; readonly trials: readonly ImportedTrial[] }
  | ({ readonly event: 'finished' } & Outcome)
  /** `reason`: of a training that the trainer gave up. */
  | ({ readonly event: 'pruned'; readonly reason?: string } & Outcome)
  | { readonly event: 'failed'; readonly name: string; readonly repeat: number; readonly reason: string };

/** A metric as events have it. */
export function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

/** A folder in the directory of the search, as `trialName` makes them. */
const name = { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9._+-]{0,254}$' };
const reason = { type: 'string' };
const count = { type: 'integer', minimum: 0 };
const ofRepeat = { name, repeat: count };
const value = { type: 'number', nullable: true };
const outcome = { ...ofRepeat, value, epochs: count };
const point = { type: 'object', propertyNames: { pattern: PATH } };
const imported = { number: count, point, state: { enum: ['complete', 'pruned', 'failed'] }, value, epochs: count };
const seconds = { type: 'number', minimum: 0 };
/** What each kind of event has. */
const forms: Readonly<Record<string, Schema>> = {
  search: {
    settings: { type: 'object', properties: { space: spaceSchema }, required: ['space'] },
    params: { type: 'object' },
  },
  proposed: { name, trial: count, point },
  imported: {
    study: { type: 'string' },
    trials: { type: 'array', items: { type: 'object', properties: imported, required: Object.keys(imported) } },
  },
  started: ofRepeat,
  job: { ...ofRepeat, job: { type: 'string' }, seconds, total: seconds },
  finished: outcome,
  pruned: { ...outcome, reason },
  failed: { ...ofRepeat, reason },
};

const mayLack: Readonly<Record<string, readonly string[]>> = { pruned: ['reason'] };

/** The events of a journal; none where there is no file. Throws a UserError for a whole line that is no event. */
export function readJournal(path: string): Event[] {
  return readJournalLines(path).map((event, index) => {
    if (!isEvent(event)) {
      throw new UserError(`${path}: line ${index + 1} is not an event of a search; ${repair}`);
    }
    if (index === 0 && event.event !== 'search') {
      throw new UserError(`${path}: does not begin with a search; ${repair}`);
    }
    if (event.event !== 'search') return event;
    return { ...event, settings: withPresentNames({ ...event.settings }) as unknown as Settings };
  });
}

function isEvent(event: unknown): event is Event {
  if (!isObject(event) || typeof event.event !== 'string' || !Object.hasOwn(forms, event.event)) return false;
  const properties = forms[event.event]!;
  const required = Object.keys(properties).filter((key) => !mayLack[event.event as string]?.includes(key));
  return mistakes({ type: 'object', properties, required }, event).length === 0;
}

const repair = 'move the file away to start over: finished trials are kept';

/** A journal that is open for further events. */
export class Journal {
  private readonly file: number;
  /** Bytes of the lines that are whole and on the disk. */
  private end: number;

  /** Opens or makes the file. A UserError names one that cannot be written. */
  constructor(private readonly path: string) {
    [this.end, this.file] = writing(path, () => [
      isThere(path) ? reading(path, () => readFileSync(path)).lastIndexOf('\n') + 1 : 0,
      openToAppend(path),
    ]);
  }

  /** Adds an event with the time; it is on the disk when this returns. Where it throws a UserError the event does not count. */
  append(event: Event): void {
    const line = Buffer.from(`${JSON.stringify({ time: new Date().toISOString(), ...event })}\n`);
    writing(this.path, () => {
      // A last line without an end is what a killed process, or a full disk, left of an event.
      ftruncateSync(this.file, this.end);
      appendFileSync(this.file, line);
      fsyncSync(this.file);
    });
    this.end += line.length;
  }

  close(): void {
    closeSync(this.file);
  }
}

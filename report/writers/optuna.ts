/**
 * A search as a study in Optuna's journal file storage, which `optuna.storages.JournalStorage` and optuna-dashboard open: a line for
 * the study, then one for each trial, with the fields of `JournalStorage.create_new_trial`.
 */
import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { directions, operations, trialStates as states } from '../../formats/optuna_journal';
import { repeatDirectory, runFiles, searchFiles } from '../../runs/files';
import { readJournalLines } from '../../runs/journal';
import { readEpochs, readScore } from '../../runs/metrics';
import { UserError } from '../../utils/errors';
import { isThere, readText } from '../../utils/files';
import { isObject } from '../../utils/json';
import { mean } from '../statistics/mean';

const WRITER = 'distillery';
/** Events of a repeat that tell its state. */
const steps = ['started', 'finished', 'pruned', 'failed'];

/** A line of the search's journal, and its settings, as search/journal.ts writes them. */
interface Line {
  readonly event: string;
  readonly time?: string;
  readonly name?: string;
  readonly repeat?: number;
  readonly point?: Readonly<Record<string, unknown>>;
  readonly value?: number | null;
  readonly settings?: Settings;
}
interface Settings {
  readonly space: readonly Dimension[];
  readonly metric: string;
  readonly direction?: string;
  readonly goal?: string;
  readonly repeats: number;
}
interface Dimension {
  readonly kind: 'choice' | 'range';
  readonly path: string;
  readonly values: readonly unknown[];
  readonly low: number;
  readonly high: number;
  readonly step?: number;
  readonly log: boolean;
}

/** The journal file of the study. Throws a UserError if `parent` is not the directory of a search. */
export function toOptuna(parent: string): string {
  const path = join(parent, searchFiles.journal);
  const lines = readJournalLines(path).filter((line): line is Line & Record<string, unknown> => isObject(line));
  const { settings } = lines.findLast(({ event }) => event === 'search') ?? {};
  if (settings === undefined) throw new UserError(`${path}: no such search; --optuna needs the directory of one`);
  const goal = settings.direction ?? settings.goal;
  const study = {
    op_code: operations.createStudy,
    worker_id: WRITER,
    study_name: basename(resolve(parent)),
    directions: [goal === 'minimize' ? directions.minimize : directions.maximize],
  };
  const proposed = new Map(lines.flatMap((line) => (line.event === 'proposed' ? [[line.name, line] as const] : [])));
  const trials = [...proposed.values()].map((line) => trialOf(line, lines, settings, parent));
  return [study, ...trials].map((record) => `${JSON.stringify(record)}\n`).join('');
}

/** Throws a UserError if a file is there that this writer has not written: a study of Optuna's own must not be lost. */
export function refuseOtherStudy(path: string): void {
  if (!isThere(path)) return;
  const [first] = existsSync(path) ? readText(path).split('\n') : [''];
  if (!first!.includes(`"worker_id":"${WRITER}"`)) {
    throw new UserError(`--optuna: ${path}: exists and was not written by ${WRITER}; name another file`);
  }
}

function trialOf(proposed: Line, lines: readonly Line[], settings: Settings, parent: string): object {
  const name = proposed.name!;
  const own = lines.filter((line) => line.name === name && steps.includes(line.event));
  const last = new Map(own.map((line) => [line.repeat!, line]));
  const ended = [...last.values()].filter(({ event }) => event !== 'started');
  const finished = ended.filter(({ event }) => event === 'finished');
  const values = finished.map(({ value }) => value ?? NaN);
  const value = finished.length === settings.repeats ? mean(values) : NaN;
  const state = stateOf(ended, settings.repeats, value);
  const distributions = settings.space.filter(({ path }) => Object.hasOwn(proposed.point!, path)).map(distributionOf);
  const known = distributions.filter((one) => Number.isFinite(one.inside(proposed.point![one.path])));
  const epochs = epochsOf(join(parent, name), settings.metric);
  return {
    op_code: operations.createTrial,
    worker_id: WRITER,
    study_id: 0,
    datetime_start: timeOf(own.find(({ event }) => event === 'started') ?? proposed),
    state,
    // Optuna takes the last value that a pruned trial reported for its value.
    value: state === states.complete ? value : state === states.pruned ? (epochs.at(-1)?.[1] ?? null) : null,
    values: null,
    ...(state !== states.running && { datetime_complete: timeOf(ended.at(-1)!) }),
    distributions: Object.fromEntries(known.map(({ path, json }) => [path, json])),
    params: Object.fromEntries(known.map(({ path, inside }) => [path, inside(proposed.point![path])])),
    user_attrs: { directory: name, ...testAccuracy(join(parent, name)) },
    system_attrs: {},
    intermediate_values: Object.fromEntries(epochs),
  };
}

function stateOf(ended: readonly Line[], repeats: number, value: number): number {
  if (ended.some(({ event }) => event === 'failed')) return states.failed;
  if (ended.some(({ event }) => event === 'pruned')) return states.pruned;
  if (ended.length < repeats) return states.running;
  return Number.isFinite(value) ? states.complete : states.failed;
}

/** A dimension as Optuna's JSON of a distribution, and a value as its trials store it: a number, or the index of a choice. */
function distributionOf(dimension: Dimension): { path: string; json: string; inside: (value: unknown) => number } {
  const { path, low, high, step, log } = dimension;
  const json = (name: string, attributes: object) => JSON.stringify({ name, attributes });
  if (dimension.kind === 'choice') {
    const choices = dimension.values.map(plain);
    return {
      path,
      json: json('CategoricalDistribution', { choices }),
      inside: (value) => {
        const index = choices.indexOf(plain(value));
        return index < 0 ? NaN : index;
      },
    };
  }
  const isInteger = step !== undefined && Number.isInteger(step) && Number.isInteger(low);
  const most = step === undefined ? high : low + Math.floor((high - low) / step + 1e-9) * step;
  const attributes = { log, step: step ?? null, low, high: most };
  return { path, json: json(isInteger ? 'IntDistribution' : 'FloatDistribution', attributes), inside: Number };
}

/** Choices of Optuna are plain values. */
function plain(value: unknown): unknown {
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : value;
}

/** The metric of each epoch of the first repeat, by its number. */
function epochsOf(directory: string, metric: string): [epoch: number, value: number][] {
  const path = join(directory, runFiles.metrics);
  if (!isThere(path)) return [];
  const [, part = '', name = ''] = /^(train|val)_(.*)$/.exec(metric) ?? [];
  return readEpochs(path, { isGrowing: true }).flatMap((record): [number, number][] => {
    const values = record[part];
    const value = isObject(values) ? values[name] : undefined;
    return typeof value === 'number' && Number.isFinite(value) ? [[Number(record.epoch), value]] : [];
  });
}

function testAccuracy(directory: string): object {
  const path = join(repeatDirectory(directory, 0), runFiles.test);
  const accuracy = isThere(path) ? readScore(path).metrics.get('accuracy') : undefined;
  return accuracy === undefined || Number.isNaN(accuracy) ? {} : { test_accuracy: accuracy };
}

/** As Python's `isoformat` writes it, with microseconds. */
function timeOf({ time }: Line): string | null {
  return time === undefined
    ? null
    : time.replace(/(\.\d{3})?Z$/, (_, fraction: string = '.000') => `${fraction}000+00:00`);
}

/** What the directories of runs hold: ours, those of earlier tools that wrote validation metrics only, and logs of others. */
import { existsSync, statSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { messageOf, UserError } from '../../utils/errors';
import { readJson, readText } from '../../utils/files';
import { flatten, type Flat, type Scalar } from '../../utils/flatten';
import { isObject, parsePythonJson } from '../../utils/json';
import { lockState } from '../../runs/lock';
import { earlyEndings, type EarlyEnding } from './endings';
import { findFiles, unlinked } from './find';
import { csvLogs } from './foreign_logs';
import { eventFiles, foreignRuns } from './foreign_runs';
import { sortNaturally } from './natural_order';
import { readSummary, type PredictionSummary } from '../predictions';

/**
 * running: a living process holds its lock; finished: its last result is there; broken: a file cannot be read; pruned and
 * failed: the search whose trial it is has ended it, or, failed, its numbers were not finite; interrupted: none of these, it
 * can go on.
 */
export type Status = 'running' | 'finished' | 'broken' | EarlyEnding | 'interrupted';

/** A metrics_*_weights.json. */
export interface Score {
  /** accuracy, loss and whatever else is a number; NaN where JSON has null. calibration_error, where predictions are kept. */
  readonly metrics: ReadonlyMap<string, number>;
  readonly epoch: number | undefined;
  /** The images on which the epoch was chosen: `validation`, `test`, or unknown. */
  readonly selectedOn: string | undefined;
  /** Of the same epoch. */
  readonly predictions?: PredictionSummary;
}

/** Values by name (`epoch`, `learning_rate`, `train_loss`, `val_accuracy`, …), one for each line of metrics.jsonl. */
export type Curves = ReadonlyMap<string, readonly number[]>;

export interface FileError {
  readonly file: string;
  readonly reason: string;
}

export interface Run {
  /** Path below the directory of the report, with `/` between folders; `.` for that directory itself. */
  readonly directory: string;
  readonly status: Status;
  /** What was trained, as run.json has it with every key filled; where it does not, what params.json says. */
  readonly params: Flat;
  /** What of it params.json gave. */
  readonly given: Flat;
  /** Keys in which params.json differs from what was trained: it was edited since. */
  readonly changed: readonly string[];
  /** Of params.json, or else of run.json. */
  readonly seed: string | undefined;
  /** Validation metrics of the best epoch and of the last. */
  readonly val: Score | undefined;
  readonly last: Score | undefined;
  /** Test metrics of the best epoch; a score of an epoch that is no longer the best is left out. */
  readonly test: Score | undefined;
  readonly history: Curves;
  /** What run.json says besides its params. */
  readonly facts: Flat;
  readonly errors: readonly FileError[];
}

/**
 * Files that make a directory a run. params.json alone does not: it may be the plan of a search, or yet to be run, unless
 * the journal of a search says that it failed.
 */
const traces = [
  'metrics_val_best_weights.json',
  'metrics_val_last_weights.json',
  'metrics_test_best_weights.json',
  'metrics.jsonl',
  'run.json',
  'last.safetensors',
];

/** What a report is made of, in a message where there is none of it. */
export const wouldBeRuns =
  'a run is a folder with metrics.jsonl or metrics_*_weights.json of train.ts, metrics.csv of Lightning, a CSV log of Keras ' +
  `(${csvLogs.slice(1).join(', ')}) or events of TensorBoard with an accuracy or a loss`;

/** What some runs leave besides. */
const predictionFiles = ['predictions_val.safetensors', 'predictions_test.safetensors'];

/**
 * All runs in `directory` and below it, in natural order; their paths are told from `origin`. Symbolic links are not
 * followed; results that were put aside (`before_<n>`), repetitions (`again_<n>`) and the stages of a run (`stages/<n>_<name>`) do not count. Throws a UserError where there is no such
 * directory; whatever is wrong with a run is told in its record.
 */
export function collectRuns(directory: string, origin = directory): Run[] {
  if (!existsSync(directory)) throw new UserError(`${directory}: no such directory`);
  if (!statSync(directory).isDirectory()) throw new UserError(`${directory}: not a directory`);
  const endingOf = earlyEndings();
  const found = findFiles(directory, ['params.json', ...traces, ...predictionFiles, ...csvLogs], [eventFiles]);
  const nameOf = (folder: string) => relative(origin, join(directory, folder)).split(sep).join('/') || '.';
  const taken = new Set<string>();
  const runs = [...found].flatMap(([folder, files]) => {
    const path = join(directory, folder);
    const ending = endingOf(path);
    if (ending === undefined && !traces.some((name) => files.has(name))) return [];
    taken.add(folder);
    return [readRun(path, nameOf(folder), files, ending)];
  });
  return sortNaturally([...runs, ...foreignRuns(directory, found, taken, nameOf)], (run) => run.directory);
}

/** Was the epoch chosen by its accuracy on the very images that its score is of? Unknown counts as yes. */
export function chosenOnTest({ val, test }: Run): boolean {
  return (val ?? test) !== undefined && (val ?? test)!.selectedOn !== 'validation';
}

/** Epochs that are done, and those that are planned, where known. */
export function progressOf({ history, params }: Pick<Run, 'history' | 'params'>): {
  done: number;
  planned: number | undefined;
} {
  const planned = params.get('num_epochs');
  return { done: history.get('epoch')?.at(-1) ?? 0, planned: typeof planned === 'number' ? planned : undefined };
}

function readRun(path: string, directory: string, files: ReadonlySet<string>, ending: EarlyEnding | undefined): Run {
  const errors: FileError[] = [];
  const attempt = <T>(file: string, read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      errors.push({ file, reason: messageOf(error).replace(`${join(path, file)}: `, '') });
      return undefined;
    }
  };
  const readFile = <T>(file: string, read: (path: string) => T): T | undefined =>
    files.has(file) ? attempt(file, () => read(unlinked(join(path, file)))) : undefined;
  const file = readFile('params.json', readFlat);
  const record = readFile('run.json', readFlat);
  const { facts, given, resolved } = partsOf(record ?? new Map<string, Scalar>());
  const params = [resolved, given].find((one) => one.size > 0) ?? file;
  const withPredictions = (score: Score | undefined, file: string): Score | undefined => {
    const predictions = score && readFile(file, readSummary);
    if (predictions === undefined || predictions.epoch !== score?.epoch) return score;
    const metrics = new Map([...score.metrics, ['calibration_error', predictions.calibrationError]]);
    return { ...score, metrics, predictions };
  };
  const val = withPredictions(readFile('metrics_val_best_weights.json', readScore), 'predictions_val.safetensors');
  const last = readFile('metrics_val_last_weights.json', readScore);
  const test = withPredictions(readFile('metrics_test_best_weights.json', readScore), 'predictions_test.safetensors');
  const history = readFile('metrics.jsonl', readCurves);
  const lock = attempt('.lock', () => lockState(path, Date.now));
  const seed = params?.get('seed') ?? facts.get('seed');
  const run = {
    directory,
    params: params ?? new Map<string, Scalar>(),
    given: given.size > 0 ? given : (file ?? new Map<string, Scalar>()),
    changed: file && given.size > 0 ? differences(given, file) : [],
    seed: seed === undefined ? undefined : String(seed),
    val,
    last,
    test: test && val && test.epoch !== val.epoch ? undefined : test,
    history: history ?? new Map<string, number[]>(),
    facts,
    errors,
  };
  const isOurs =
    ending !== undefined || ['run.json', 'metrics.jsonl', 'last.safetensors'].some((name) => files.has(name));
  const { done, planned = done } = progressOf(run);
  const isAtItsEnd = done >= planned || done === run.facts.get('stopped_after');
  const isComplete = isOurs ? run.test !== undefined && isAtItsEnd : lock === 'free';
  const unfinished = ending ?? (run.facts.has('diverged') ? 'failed' : 'interrupted');
  const atRest = errors.length > 0 ? 'broken' : isComplete ? 'finished' : unfinished;
  return { ...run, status: lock === 'held' ? 'running' : atRest };
}

/** A run.json, flattened: what params.json gave and what that came to, under the names of its keys, and all else. */
function partsOf(record: Flat): { facts: Flat; given: Flat; resolved: Flat } {
  const [facts, given, resolved] = [new Map<string, Scalar>(), new Map<string, Scalar>(), new Map<string, Scalar>()];
  for (const [name, value] of record) {
    if (name.startsWith('params.')) given.set(name.slice('params.'.length), value);
    else if (name.startsWith('resolved.')) resolved.set(name.slice('resolved.'.length), value);
    else facts.set(name, value);
  }
  // A teacher by its name alone is what params.json has most often, and what tables call it.
  const teacher = resolved.get('teacher.model');
  if (teacher !== undefined) {
    resolved.set('teacher', teacher);
    resolved.delete('teacher.model');
  }
  return { facts, given, resolved };
}

/** The keys in which two params differ. */
function differences(a: Flat, b: Flat): string[] {
  return [...new Set([...a.keys(), ...b.keys()])].filter((key) => a.get(key) !== b.get(key));
}

function readFlat(path: string): Flat {
  const flat = flatten(objectIn(readJson(path)));
  refuseMore(flat.size);
  return flat;
}

function readScore(path: string): Score {
  const { epoch, selected_on: selectedOn, ...rest } = objectIn(readMetrics(path));
  refuseMore(Object.keys(rest).length);
  const metrics = Object.entries(rest).map(([name, value]) => [name, numberIn(value, name)] as const);
  return {
    metrics: new Map(metrics),
    epoch: epoch === undefined ? undefined : numberIn(epoch, 'epoch'),
    selectedOn: typeof selectedOn === 'string' ? selectedOn : undefined,
  };
}

/** Numbers as Python writes them. */
function readMetrics(path: string): unknown {
  const text = readText(path);
  try {
    return parsePythonJson(text);
  } catch (error) {
    throw new Error(`not valid JSON: ${messageOf(error)}`);
  }
}

function readCurves(path: string): Curves {
  const curves = new Map<string, number[]>();
  const lines = readText(path).split('\n').filter(Boolean);
  for (const [i, line] of lines.entries()) {
    let record: Flat;
    try {
      record = flatten(objectIn(parsePythonJson(line)), '_');
    } catch (error) {
      throw new Error(`line ${i + 1}: ${messageOf(error)}`);
    }
    for (const [name, value] of record) {
      if (!curves.has(name)) curves.set(name, Array<number>(i).fill(NaN));
      curves.get(name)![i] = numberIn(value, name);
    }
    refuseMore(curves.size);
    for (const values of curves.values()) if (values.length === i) values.push(NaN);
  }
  return curves;
}

/** Each becomes a column, or a curve. */
const MOST_VALUES = 1000;

function refuseMore(count: number): void {
  if (count > MOST_VALUES) throw new Error(`it has ${count} values by name, accepted are up to ${MOST_VALUES}`);
}

function objectIn(content: unknown): object & Record<string, unknown> {
  if (isObject(content)) return content;
  throw new Error(`must be a JSON object, got ${shown(content)}`);
}

/** A number; null stands for one that JSON cannot hold, such as the loss of a run that diverged. */
function numberIn(value: unknown, name: string): number {
  if (typeof value === 'number') return value;
  if (value === null) return NaN;
  throw new Error(`"${name}" must be a number, got ${shown(value)}`);
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 60);
}

/**
 * Reads the directories of runs: ours, those of earlier tools with validation metrics only, and logs of other tools.
 */
import { existsSync, statSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { runFiles } from '../../runs/files';
import { lockState } from '../../runs/lock';
import { numberIn, readEpochs, readScore } from '../../runs/metrics';
import { tabular } from '../../runs/tabular_params';
import { messageOf, UserError } from '../../utils/errors';
import { readObject } from '../../utils/files';
import { flatten, type Flat, type Scalar } from '../../utils/flatten';
import { withoutSchema } from '../../utils/json';
import { readSummary, readTeacherSummary } from '../predictions';
import { earlyEndings, type EarlyEnding } from './endings';
import { findFiles, unlinked } from './find';
import { csvLogs } from './foreign_logs';
import { eventFiles, foreignRuns } from './foreign_runs';
import { sortNaturally } from './natural_order';
import { progressOf, type Curves, type FileError, type Run, type RunScore } from './run';

/**
 * Files that identify a directory as a run. params.json alone does not: it may be the template of a search or not yet
 * run, unless the journal of a search says that it failed.
 */
const traces: readonly string[] = [
  runFiles.bestValidation,
  runFiles.lastValidation,
  runFiles.test,
  runFiles.metrics,
  runFiles.record,
  runFiles.last,
];

/** The definition of a run, for messages that no run was found. */
export const wouldBeRuns =
  'a run is a folder with metrics.jsonl or metrics_*_weights.json of train.ts, metrics.csv of Lightning, a CSV log of Keras ' +
  `(${csvLogs.slice(1).join(', ')}) or TensorBoard events with an accuracy or a loss`;

/** Optional files of a run. */
const predictionFiles = [runFiles.valPredictions, runFiles.testPredictions, runFiles.teacherPredictions];

/**
 * All runs in `directory` and below it, in natural order; their paths are relative to `origin`. Does not follow
 * symbolic links; skips earlier results (`before_<n>`), repetitions (`again_<n>`) and stages of a run
 * (`stages/<n>_<name>`). Throws a UserError if there is no such directory; errors of a run are in its record.
 */
export function collectRuns(directory: string, origin = directory): Run[] {
  if (!existsSync(directory)) throw new UserError(`${directory}: no such directory`);
  if (!statSync(directory).isDirectory()) throw new UserError(`${directory}: not a directory`);
  const endingOf = earlyEndings();
  const found = findFiles(directory, [runFiles.params, ...traces, ...predictionFiles, ...csvLogs], [eventFiles]);
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
  const file = readFile(runFiles.params, readFlat);
  const record = readFile(runFiles.record, readFlat);
  const { facts, given, resolved } = partsOf(record ?? new Map<string, Scalar>());
  const params = [resolved, given].find((one) => one.size > 0) ?? file;
  const withPredictions = (score: RunScore | undefined, file: string): RunScore | undefined => {
    const predictions = score && readFile(file, readSummary);
    if (predictions === undefined || predictions.epoch !== score?.epoch) return score;
    const metrics = new Map([...score.metrics, ['calibration_error', predictions.calibrationError]]);
    return { ...score, metrics, predictions };
  };
  const val = withPredictions(readFile(runFiles.bestValidation, scoreIn), runFiles.valPredictions);
  const last = readFile(runFiles.lastValidation, scoreIn);
  const test = withPredictions(readFile(runFiles.test, scoreIn), runFiles.testPredictions);
  const teacher = readFile(runFiles.teacherPredictions, readTeacherSummary);
  const history = readFile(runFiles.metrics, readCurves);
  const lock = attempt(runFiles.lock, () => lockState(path, Date.now));
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
    teacher,
    history: history ?? new Map<string, number[]>(),
    facts,
    errors,
  };
  const isOurs =
    ending !== undefined || [runFiles.record, runFiles.metrics, runFiles.last].some((name) => files.has(name));
  const { done, planned = done } = progressOf(run);
  const isAtItsEnd = done >= planned || done === run.facts.get('stopped_after');
  const isComplete = isOurs ? run.test !== undefined && isAtItsEnd : lock === 'free';
  const unfinished = ending ?? (run.facts.has('diverged') ? 'failed' : 'interrupted');
  const atRest = errors.length > 0 ? 'broken' : isComplete ? 'finished' : unfinished;
  return { ...run, status: lock === 'held' ? 'running' : atRest };
}

/** A run.json, flattened: the given and the effective params by key, and everything else. */
function partsOf(record: Flat): { facts: Flat; given: Flat; resolved: Flat } {
  const [facts, given, resolved] = [new Map<string, Scalar>(), new Map<string, Scalar>(), new Map<string, Scalar>()];
  for (const [name, value] of record) {
    if (name.startsWith('params.')) given.set(name.slice('params.'.length), value);
    else if (name.startsWith('resolved.')) resolved.set(name.slice('resolved.'.length), value);
    else facts.set(name, value);
  }
  return { facts, given, resolved: tabular(resolved) };
}

/** Objects of params.json that earlier versions kept in run.json with defaults that the file leaves out. */
const FILLED = /^(schedule|early_stopping|init)\./;

/** The keys in which the params that a run was given differ from its file. */
function differences(given: Flat, file: Flat): string[] {
  const keys = [...new Set([...given.keys(), ...file.keys()])];
  const isDefault = (key: string) => FILLED.test(key) && !file.has(key);
  return keys.filter((key) => given.get(key) !== file.get(key) && !isDefault(key));
}

function readFlat(path: string): Flat {
  const flat = flatten(withoutSchema(readObject(path)));
  refuseMore(flat.size);
  return flat;
}

function scoreIn(path: string): RunScore {
  const score = readScore(path);
  refuseMore(score.metrics.size);
  return score;
}

function readCurves(path: string): Curves {
  const curves = new Map<string, number[]>();
  for (const [i, record] of readEpochs(path).entries()) {
    for (const [name, value] of flatten(record, '_')) {
      if (!curves.has(name)) curves.set(name, Array<number>(i).fill(NaN));
      curves.get(name)![i] = numberIn(value, name);
    }
    refuseMore(curves.size);
    for (const values of curves.values()) if (values.length === i) values.push(NaN);
  }
  return curves;
}

/** Maximum number of values; each becomes a column or a curve. */
const MOST_VALUES = 1000;

function refuseMore(count: number): void {
  if (count > MOST_VALUES) throw new Error(`it has ${count} named values, accepted are up to ${MOST_VALUES}`);
}

/** Repeats a run from its run.json. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { repetitionFolder, runFiles } from '../../runs/files';
import { digestOfFile } from '../../runs/provenance';
import { RunDirectory } from '../../runs/run_directory';
import { UserError } from '../../utils/errors';
import { isThere, makeDirectory, readJson, writeJson } from '../../utils/files';
import { isObject } from '../../utils/json';
import { mostThreads } from '../../utils/threads';
import { compareRuns, comparisonInWords } from './compare';
import { located } from './own_paths';
import { plansIn, type Plan } from './plans';

interface Repetition {
  /** The run, and the directory of its repetition; absolute paths. */
  readonly original: string;
  readonly directory: string;
  /** The working directory that the paths in its params are relative to. */
  readonly cwd: string;
  /** The weights that it starts from, unless it is resumed. */
  readonly startsFrom: string | undefined;
  /** Its planned epochs, if its run.json has them. */
  readonly plans: readonly Plan[] | undefined;
}

/**
 * Prepares the directory `target`, or a folder `again_<n>` in that of the run: with the run's params.json, its number
 * of threads, if accepted on this machine, and its device. An unfinished repetition is resumed. Throws a UserError if
 * the run is not finished or its initial weights no longer exist.
 */
export function planRepetition(path: string, target: string | undefined): Repetition {
  const run = new RunDirectory(resolve(path));
  const source = run.file(runFiles.record);
  if (!run.isFinished()) throw new UserError(`${path}: not finished; only finished runs can be repeated`);
  const { params, cwd, threads, cores, device, started_from: origin } = run.facts();
  if (!isObject(params) || typeof cwd !== 'string')
    throw new UserError(`${source}: "params" and "cwd" of the run are missing`);
  const directory = target === undefined ? nextFolder(run.path) : resolve(target);
  if (directory === run.path)
    throw new UserError(`--model_dir must be another directory than --reproduce, got ${path}`, 2);
  const known = existsSync(cwd) ? cwd : process.cwd();

  const counts = [threads, cores].filter((count) => Number.isSafeInteger(count) && Number(count) > 0) as number[];
  const content = { ...params, threads: Math.min(counts[0] ?? 0, mostThreads()), device };
  const file = join(directory, runFiles.params);
  if (!isThere(file)) {
    makeDirectory(directory);
    writeJson(file, content);
  } else if (JSON.stringify(readJson(file)) !== JSON.stringify(content)) {
    throw new UserError(`${file}: belongs to another run; use a new directory`);
  }
  const hasBegun = isThere(join(directory, runFiles.last));
  const startsFrom = origin === undefined || hasBegun ? undefined : sameFile(run, origin, known);
  return { original: run.path, directory, cwd: known, startsFrom, plans: plansIn(run.facts()) };
}

/**
 * Trains the run in `path` again and prints a comparison; throws a UserError if results differ without a difference of
 * the environment. `trainAll` trains a directory with the given plans and initial weights, and returns whether it
 * finished.
 */
export async function reproduceRun(
  path: string,
  { model_dir: target, fresh, restore_file: file }: { model_dir?: string; restore_file?: string; fresh: boolean },
  trainAll: (directory: string, plans: readonly Plan[] | undefined, weights: string | undefined) => Promise<boolean>,
): Promise<void> {
  if (fresh || file !== undefined)
    throw new UserError('--reproduce starts as the original run did: remove --fresh and --restore_file', 2);
  const { original, directory, cwd, startsFrom, plans } = planRepetition(path, target);
  process.chdir(cwd);
  if (!(await trainAll(directory, plans, startsFrom))) return;
  const comparison = compareRuns(new RunDirectory(original), new RunDirectory(directory));
  process.stdout.write(`${directory} compared with ${original}:\n${comparisonInWords(comparison).join('\n')}\n`);
  const { isSame, isNear, surroundings } = comparison;
  if (isSame || (isNear && surroundings.length > 0)) return;
  throw new UserError(`${directory}: results differ from ${original}`);
}

/** The folder of an unfinished repetition, or else the next one. */
function nextFolder(path: string): string {
  for (let n = 1; ; n++) {
    const folder = join(path, repetitionFolder(n));
    if (!new RunDirectory(folder).isFinished()) return folder;
  }
}

/** The path of a file with a known digest, if it is unchanged. */
function sameFile(run: RunDirectory, origin: unknown, cwd: string): string {
  const { path, sha256 } = isObject(origin) ? origin : {};
  if (typeof path !== 'string') throw new UserError(`${run.file(runFiles.record)}: "started_from" must name a file`);
  const file = resolve(cwd, located(path, run.path));
  if (digestOfFile(file) !== sha256) throw new UserError(`${file}: has changed since the run started from it`);
  return file;
}

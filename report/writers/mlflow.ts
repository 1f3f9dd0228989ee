/**
 * Runs in the layout of MLflow's file store (`mlruns/`): an experiment for the directory of the report, and in it a folder for each
 * run with params, metrics by epoch, tags and artifacts, as mlflow.store.tracking.file_store of MLflow 2 and 3 reads them.
 */
import { createHash } from 'node:crypto';
import { copyFileSync, rmSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { runFiles } from '../../runs/files';
import { isFile, makeDirectory, writeFileAtomic } from '../../utils/files';
import type { Run, Status } from '../collect/run';

/** `RunStatus` of MLflow. */
const states: Readonly<Record<Status, number>> = {
  running: 1,
  finished: 3,
  failed: 4,
  broken: 4,
  pruned: 5,
  interrupted: 5,
};

const artifacts = [runFiles.params, runFiles.record, runFiles.best, runFiles.exported];

/** Longest value of a param. */
const LONGEST = 6000;

/** Writes the runs below `parent` into `root`, such as `mlruns`; those that were written there before are replaced. */
export function writeMlflow(root: string, parent: string, runs: readonly Run[]): void {
  const top = resolve(parent);
  const experiment = experimentId(top);
  const folder = join(root, experiment);
  const starts = runs.map(({ facts }) => startOf(facts.get('started')));
  const created = Math.min(...starts, Date.now());
  writeText(
    join(folder, 'meta.yaml'),
    yaml({
      artifact_location: urlOf(folder),
      creation_time: created,
      experiment_id: experiment,
      last_update_time: Date.now(),
      lifecycle_stage: 'active',
      name: basename(top),
    }),
  );
  for (const [i, run] of runs.entries()) writeRun(folder, experiment, join(top, run.directory), run, starts[i]!);
}

function writeRun(parent: string, experiment: string, directory: string, run: Run, start: number): void {
  const { facts, history, params, test } = run;
  const id = createHash('sha256').update(directory).digest('hex').slice(0, 32);
  const folder = join(parent, id);
  const name = run.directory === '.' ? basename(directory) : run.directory;
  const length = 1000 * Number(facts.get('seconds') ?? 0);
  const end = Math.round(start + length);
  rmSync(folder, { recursive: true, force: true });
  const write = (kind: string, key: string, text: string) => writeText(join(folder, kind, fileFor(key)), text);
  for (const [key, value] of params) write('params', key, String(value).slice(0, LONGEST));
  const epochs = history.get('epoch') ?? [];
  for (const [key, values] of history) {
    if (key === 'epoch') continue;
    const lines = values.map((value, i) => {
      const time = Math.round(start + (length * (i + 1)) / values.length);
      return `${time} ${value} ${epochs[i] ?? i + 1}\n`;
    });
    write('metrics', key, lines.join(''));
  }
  for (const [key, value] of test?.metrics ?? [])
    write('metrics', `test_${key}`, `${end} ${value} ${test!.epoch ?? 0}\n`);
  const commit = facts.get('commit');
  write('tags', 'mlflow.runName', name);
  write('tags', 'distillery.directory', directory);
  if (typeof commit === 'string') write('tags', 'mlflow.source.git.commit', commit);
  makeDirectory(join(folder, 'artifacts'));
  for (const file of artifacts) {
    if (isFile(join(directory, file))) copyFileSync(join(directory, file), join(folder, 'artifacts', file));
  }
  const meta = {
    artifact_uri: urlOf(join(folder, 'artifacts')),
    end_time: run.status === 'running' ? null : end,
    entry_point_name: '',
    experiment_id: experiment,
    lifecycle_stage: 'active',
    run_id: id,
    run_name: name,
    run_uuid: id,
    source_name: '',
    source_type: 4,
    source_version: '',
    start_time: start,
    status: states[run.status],
    tags: [],
    user_id: 'distillery',
  };
  // The very last: a folder without it is no run.
  writeText(join(folder, 'meta.yaml'), yaml(meta));
}

/** Digits, as MLflow's own are, that depend on the directory alone. */
function experimentId(directory: string): string {
  const digest = createHash('sha256').update(directory).digest();
  return String(10n ** 17n + (digest.readBigUInt64LE() % (9n * 10n ** 17n)));
}

/** Milliseconds since 1970 of an ISO 8601 time; now, where there is none. */
function startOf(started: unknown): number {
  const time = typeof started === 'string' ? Date.parse(started) : NaN;
  return Number.isNaN(time) ? Date.now() : time;
}

/** A name as MLflow accepts it; a slash would make a folder where `loss` is a file beside `loss/kd`. */
function fileFor(name: string): string {
  return name.replaceAll('/', '.').replaceAll(/[^\w.\- ]/g, '_');
}

function writeText(path: string, text: string): void {
  makeDirectory(dirname(path));
  writeFileAtomic(path, text);
}

/** A JSON value is one of YAML. */
function yaml(values: object): string {
  return Object.entries(values)
    .map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`)
    .join('');
}

function urlOf(path: string): string {
  return pathToFileURL(resolve(path)).href;
}

/**
 * MLflow's file store (`mlruns/`): a folder for each experiment, and in it one for each run with params, metrics by step, tags and
 * artifacts, as mlflow.store.tracking.file_store of MLflow 2 and 3 reads them.
 */
import { createHash } from 'node:crypto';
import { appendFileSync, closeSync, copyFileSync, readdirSync, rmSync } from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isFile, isThere, makeDirectory, openToAppend, readText, writeFileAtomic, writing } from '../utils/files';
import type { Flat } from '../utils/flatten';

/** `RunStatus` of MLflow. */
const statuses = { running: 1, finished: 3, failed: 4, killed: 5 } as const;

/** A value of a metric; `time` in milliseconds since 1970. */
export interface MetricPoint {
  readonly step: number;
  readonly value: number;
  readonly time: number;
}

export interface MlflowRun {
  readonly directory: string;
  readonly status: keyof typeof statuses;
  /** Milliseconds since 1970. */
  readonly start: number;
  readonly end?: number;
  readonly params: Flat;
  readonly metrics: ReadonlyMap<string, readonly MetricPoint[]>;
  readonly commit: unknown;
  /** Files to copy. */
  readonly artifacts: readonly string[];
}

/** Pattern of a path of a store: a tracking URI, as `http://127.0.0.1:5000`, would be a folder of that name. */
export const STORE = '^(?![A-Za-z][A-Za-z0-9+.-]+:/)[^\\0]+$';

/** Longest value of a param. */
const LONGEST = 6000;

/** An experiment of the runs below one directory. */
export class MlflowExperiment {
  private readonly id: string;
  private readonly folder: string;
  private readonly top: string;

  /** `root` is the store, such as `mlruns`; `created`: milliseconds since 1970. */
  constructor(root: string, top: string, created: number) {
    this.top = resolve(top);
    this.id = experimentId(this.top);
    this.folder = join(root, this.id);
    const path = join(this.folder, 'meta.yaml');
    if (isThere(path)) return;
    const meta = {
      artifact_location: urlOf(this.folder),
      creation_time: created,
      experiment_id: this.id,
      last_update_time: created,
      lifecycle_stage: 'active',
      name: basename(this.top),
    };
    writeText(path, yaml(meta));
  }

  /** When a run began by what was written of it; undefined: nothing was. */
  startOf(directory: string): number | undefined {
    const path = join(this.folderOf(directory), 'meta.yaml');
    const [, start] = (isFile(path) && /^start_time: (\d+)$/m.exec(readText(path))) || [];
    return start === undefined ? undefined : Number(start);
  }

  /** Forgets what was written of a run. */
  remove(directory: string): void {
    const folder = this.folderOf(directory);
    writing(folder, () => rmSync(folder, { recursive: true, force: true }));
  }

  /**
   * Writes a run as it is now. What was written of it before becomes the same: a point that is there keeps its time, and readers
   * find a whole run at any moment.
   */
  write(run: MlflowRun): void {
    const folder = this.folderOf(run.directory);
    const name = relative(this.top, resolve(run.directory)).split(sep).join('/') || basename(this.top);
    const params = [...run.params].map(([key, value]) => [fileFor(key), String(value).slice(0, LONGEST)] as const);
    writeAll(join(folder, 'params'), new Map(params));
    this.writeTags(join(folder, 'tags'), run, name);
    const metrics = new Map([...run.metrics].map(([key, points]) => [fileFor(key), points]));
    removeOthers(join(folder, 'metrics'), metrics);
    for (const [file, points] of metrics) writeMetric(join(folder, 'metrics', file), points);
    makeDirectory(join(folder, 'artifacts'));
    for (const path of run.artifacts.filter(isFile)) {
      const copy = join(folder, 'artifacts', basename(path));
      writing(copy, () => copyFileSync(path, copy));
    }
    // The very last: a folder without it is no run.
    writeChanged(join(folder, 'meta.yaml'), yaml(this.metaOf(run, name)));
  }

  private folderOf(directory: string): string {
    const id = createHash('sha256')
      .update(`${this.top}\n${resolve(directory)}`)
      .digest('hex')
      .slice(0, 32);
    return join(this.folder, id);
  }

  /** Leaves others alone: people describe and tag runs in MLflow. */
  private writeTags(folder: string, { directory, commit }: MlflowRun, name: string): void {
    writeChanged(join(folder, 'mlflow.runName'), name);
    writeChanged(join(folder, 'distillery.directory'), resolve(directory));
    const path = join(folder, 'mlflow.source.git.commit');
    if (typeof commit === 'string') writeChanged(path, commit);
    else writing(path, () => rmSync(path, { force: true }));
  }

  private metaOf({ directory, status, start, end }: MlflowRun, name: string): object {
    const folder = this.folderOf(directory);
    return {
      artifact_uri: urlOf(join(folder, 'artifacts')),
      end_time: end ?? null,
      entry_point_name: '',
      experiment_id: this.id,
      lifecycle_stage: 'active',
      run_id: basename(folder),
      run_name: name,
      run_uuid: basename(folder),
      source_name: '',
      source_type: 4,
      source_version: '',
      start_time: start,
      status: statuses[status],
      tags: [],
      user_id: 'distillery',
    };
  }
}

/** Digits, as MLflow's own are, that depend on the directory alone. */
function experimentId(directory: string): string {
  const digest = createHash('sha256').update(directory).digest();
  return String(10n ** 17n + (digest.readBigUInt64LE() % (9n * 10n ** 17n)));
}

/** A name as MLflow accepts it; a slash would make a folder where `loss` is a file beside `loss/kd`. */
function fileFor(name: string): string {
  return name.replaceAll('/', '.').replaceAll(/[^\w.\- ]/g, '_');
}

/** A line `time value step` for each point; where the file lacks only the last ones, these are added to it. */
function writeMetric(path: string, points: readonly MetricPoint[]): void {
  const before = isFile(path) ? readText(path) : '';
  const times = new Map(before.split('\n').map((line) => [line.slice(line.indexOf(' ')), line.split(' ')[0]!]));
  const lines = points.map(({ time, value, step }) => {
    const point = ` ${value} ${step}`;
    return `${times.get(point) ?? Math.round(time)}${point}\n`;
  });
  const text = lines.join('');
  if (before === '' || !text.startsWith(before)) return writeChanged(path, text);
  const added = text.slice(before.length);
  if (added === '') return;
  writing(path, () => {
    const file = openToAppend(path);
    try {
      appendFileSync(file, added);
    } finally {
      closeSync(file);
    }
  });
}

/** The files of a folder, and no others. */
function writeAll(folder: string, texts: ReadonlyMap<string, string>): void {
  removeOthers(folder, texts);
  for (const [file, text] of texts) writeChanged(join(folder, file), text);
}

function removeOthers(folder: string, kept: ReadonlyMap<string, unknown>): void {
  if (!isThere(folder)) return;
  writing(folder, () => {
    for (const file of readdirSync(folder)) if (!kept.has(file)) rmSync(join(folder, file), { force: true });
  });
}

function writeChanged(path: string, text: string): void {
  if (!isFile(path) || readText(path) !== text) writeText(path, text);
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

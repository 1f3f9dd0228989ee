/** The runs of a report in MLflow's file store: an experiment for its directory, with what the runs have left so far. */
import { dirname, join, resolve } from 'node:path';
import { MlflowExperiment, type MetricPoint, type MlflowRun } from '../../formats/mlflow';
import { trackedFiles } from '../../runs/files';
import type { Run, Status } from '../collect/run';

const statuses: Readonly<Record<Status, MlflowRun['status']>> = {
  running: 'running',
  finished: 'finished',
  failed: 'failed',
  broken: 'failed',
  pruned: 'killed',
  interrupted: 'killed',
};

/** Writes the runs below `parent` into `root`, such as `mlruns`; those that were written there before become the same. */
export function writeMlflow(root: string, parent: string, runs: readonly Run[]): void {
  // A run by itself belongs to the experiment of those beside it, as where it tells of itself while it trains.
  const isRun = runs.some(({ directory }) => directory === '.');
  const starts = runs.map(({ facts }) => startOf(facts.get('started')));
  const experiment = new MlflowExperiment(
    root,
    isRun ? dirname(resolve(parent)) : parent,
    Math.min(...starts, Date.now()),
  );
  for (const [i, run] of runs.entries()) experiment.write(trackedRun(join(parent, run.directory), run, starts[i]!));
}

function trackedRun(directory: string, { status, params, history, test, facts }: Run, start: number): MlflowRun {
  const length = 1000 * Number(facts.get('seconds') ?? 0);
  const end = Math.round(start + length);
  const epochs = history.get('epoch') ?? [];
  const metrics = new Map<string, readonly MetricPoint[]>();
  for (const [key, values] of history) {
    if (key === 'epoch') continue;
    const timeOf = (i: number) => start + (length * (i + 1)) / values.length;
    metrics.set(
      key,
      values.map((value, i) => ({ step: epochs[i] ?? i + 1, value, time: timeOf(i) })),
    );
  }
  for (const [key, value] of test?.metrics ?? []) {
    metrics.set(`test_${key}`, [{ step: test!.epoch ?? 0, value, time: end }]);
  }
  const artifacts = trackedFiles.map((file) => join(directory, file));
  const ended = status === 'running' ? {} : { end };
  return {
    directory,
    status: statuses[status],
    start,
    ...ended,
    params,
    metrics,
    commit: facts.get('commit'),
    artifacts,
  };
}

/** Milliseconds since 1970 of an ISO 8601 time; now, where there is none. */
function startOf(started: unknown): number {
  const time = typeof started === 'string' ? Date.parse(started) : NaN;
  return Number.isNaN(time) ? Date.now() : time;
}

/** A run in MLflow's file store: params when it begins, metrics after each epoch, the test score and artifacts at its end. */
import { dirname, join } from 'node:path';
import { MlflowExperiment, STORE, type MetricPoint, type MlflowRun } from '../../../formats/mlflow';
import { topmostRun, trackedFiles } from '../../../runs/files';
import { numberIn, type EpochRecord } from '../../../runs/metrics';
import { tabular } from '../../../runs/tabular_params';
import { UserError } from '../../../utils/errors';
import { flatten } from '../../../utils/flatten';
import { text } from '../../../utils/schema_forms';
import type { TrackedEnd, TrackedRun, Tracker, TrackerKind } from './tracker';

export type MlflowOptions = { readonly directory: string };

export const mlflow: TrackerKind<MlflowOptions> = {
  options: {
    directory: text({
      pattern: STORE,
      description: 'the path of a directory, not a URI',
      default: 'mlruns',
      title: 'Directory of the file store, which several runs may share.',
    }),
  },
  open: (run, { directory }) => new MlflowTracker(run, directory),
};

const statuses = { finished: 'finished', interrupted: 'killed', failed: 'failed' } as const;

class MlflowTracker implements Tracker {
  private readonly experiment: MlflowExperiment;
  private readonly start: number;
  private history: readonly EpochRecord[];
  private isLost = false;

  constructor(
    private readonly run: TrackedRun,
    root: string,
  ) {
    const now = Date.now();
    this.experiment = new MlflowExperiment(root, dirname(topmostRun(run.directory)), now);
    this.history = run.history;
    if (run.steps === 0) this.experiment.remove(run.directory);
    this.start = this.experiment.startOf(run.directory) ?? now;
    this.write({ status: 'running' });
  }

  onStep(): void {
    // Metrics by epoch, as the report has them.
  }

  onEpoch(_: number, history: readonly EpochRecord[]): void {
    this.history = history;
    this.attempt(() => this.write({ status: 'running' }));
  }

  onEnd({ status, test }: TrackedEnd): void {
    const end = Date.now();
    const artifacts = trackedFiles.map((file) => join(this.run.directory, file));
    const metrics = Object.entries<number>({ ...test?.metrics }).map(
      ([key, value]) => [`test_${key}`, [{ step: test!.epoch, value, time: end }]] as const,
    );
    this.attempt(() => this.write({ status: statuses[status], end, artifacts }, metrics));
  }

  private write(
    more: Pick<MlflowRun, 'status'> & Partial<MlflowRun>,
    scores: Iterable<readonly [string, readonly MetricPoint[]]> = [],
  ): void {
    const { directory, resolved, commit } = this.run;
    this.experiment.write({
      directory,
      start: this.start,
      params: tabular(flatten(resolved)),
      metrics: new Map([...curvesOf(this.history), ...scores]),
      commit,
      artifacts: [],
      ...more,
    });
  }

  /** The store is no part of the run, which goes on without it. */
  private attempt(write: () => void): void {
    if (this.isLost) return;
    try {
      write();
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      this.isLost = true;
      this.run.log.warn(`${error.message}; MLflow sees no more of this run`);
    }
  }
}

/** The metrics of epochs by the names that they have in reports; those that are not known yet have the time of now. */
function curvesOf(history: readonly EpochRecord[]): Map<string, MetricPoint[]> {
  const curves = new Map<string, MetricPoint[]>();
  const time = Date.now();
  for (const { epoch, ...record } of history) {
    for (const [name, value] of flatten(record, '_')) {
      if (!curves.has(name)) curves.set(name, []);
      curves.get(name)!.push({ step: epoch, value: numberIn(value, name), time });
    }
  }
  return curves;
}

/** The trackers that params.json can name. */
import { mlflow, type MlflowOptions } from './mlflow';
import { tensorboard } from './tensorboard';
import type { TrackedRun, Tracker, TrackerKind } from './tracker';

export const trackers = { tensorboard, mlflow };

/** A tracker by its name, with its options filled. */
export type TrackerParams = { readonly name: 'tensorboard' } | ({ readonly name: 'mlflow' } & MlflowOptions);

/** Those of a params.json that names none. */
const standard: readonly TrackerParams[] = [{ name: 'tensorboard' }];

/** Opens all of them as one. Throws a UserError where one cannot write. */
export function openTrackers(run: TrackedRun, chosen: readonly TrackerParams[] = standard): Tracker {
  const open = chosen.map((params) => (trackers[params.name] as TrackerKind<TrackerParams>).open(run, params));
  return {
    onStep: (...args) => open.forEach((one) => one.onStep(...args)),
    onEpoch: (...args) => open.forEach((one) => one.onEpoch(...args)),
    onEnd: (...args) => open.forEach((one) => one.onEnd(...args)),
  };
}

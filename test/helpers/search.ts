/** Searches whose trials are formulas instead of trainings. */
import type { Curve, Pruner } from '../../search/pruners';
import type { Observation, Sampler } from '../../search/samplers';
import type { Point } from '../../search/space/space';

/** The observations of `trials` trials one after another; `objective`: the larger the better. */
export function search(sampler: Sampler, trials: number, objective: (point: Point) => number): Observation[] {
  const history: Observation[] = [];
  for (let trial = 0; trial < trials; trial++) {
    const point = sampler.propose(trial, history);
    if (point === undefined) break;
    history.push({ trial, point, state: 'complete', value: objective(point) });
  }
  return history;
}

/** What is left of learning curves where `workers` trials take turns epoch by epoch, asking the pruner after each. */
export function prune(pruner: Pruner, curves: readonly (readonly number[])[], workers: number): Curve[] {
  const trials: Curve[] = [];
  const replace = (trial: Curve) => (trials[trial.trial] = trial);
  for (;;) {
    let running = trials.filter(({ state }) => state === 'running');
    while (running.length < workers && trials.length < curves.length) {
      trials.push({ trial: trials.length, values: [], state: 'running' });
      running = trials.filter(({ state }) => state === 'running');
    }
    if (running.length === 0) return trials;
    for (const { trial } of running) {
      const curve = curves[trial]!;
      const values = curve.slice(0, trials[trial]!.values.length + 1);
      const current = replace({ trial, values, state: 'running' });
      const others = trials.filter((other) => other.trial !== trial);
      if (pruner.prunes(current, others)) replace({ ...current, state: 'pruned' });
      else if (values.length === curve.length) replace({ ...current, state: 'complete' });
    }
  }
}

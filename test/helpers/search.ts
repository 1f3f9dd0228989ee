/** Searches whose trials are formulas instead of trainings. */
import type { Curve, Pruner } from '../../search/pruners';
import type { FrozenTrial, Sampler } from '../../search/samplers';
import type { Point } from '../../search/space/space';

/** `trials` trials one after another; `objective`: the larger the better. */
export function search(sampler: Sampler, trials: number, objective: (point: Point) => number): FrozenTrial[] {
  const history: FrozenTrial[] = [];
  for (let number = 0; number < trials; number++) {
    const params = sampler.suggest(number, history);
    if (params === undefined) break;
    history.push({ number, params, state: 'complete', value: objective(params) });
  }
  return history;
}

/** What is left of learning curves where `workers` trials take turns epoch by epoch, asking the pruner after each. */
export function prune(pruner: Pruner, curves: readonly (readonly number[])[], workers: number): Curve[] {
  const trials: Curve[] = [];
  const replace = (trial: Curve) => (trials[trial.number] = trial);
  for (;;) {
    let running = trials.filter(({ state }) => state === 'running');
    while (running.length < workers && trials.length < curves.length) {
      trials.push({ number: trials.length, values: [], state: 'running' });
      running = trials.filter(({ state }) => state === 'running');
    }
    if (running.length === 0) return trials;
    for (const { number } of running) {
      const curve = curves[number]!;
      const values = curve.slice(0, trials[number]!.values.length + 1);
      const current = replace({ number, values, state: 'running' });
      const others = trials.filter((other) => other.number !== number);
      if (pruner.shouldPrune(current, others)) replace({ ...current, state: 'pruned' });
      else if (values.length === curve.length) replace({ ...current, state: 'complete' });
    }
  }
}

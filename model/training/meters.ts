/** Metrics of an epoch from the results of its steps: sums and means over examples. */
import type { Results } from '../../engine/session';
import type { Sums } from '../../runs/position';

/** Adds a step's results to the sums of its epoch, each mean weighted by the number of its examples. */
export function updateMeters(sums: Sums, results: Results, examples: number): Sums {
  const added = Object.entries(results).map(([name, { data }]) => {
    const { sum = 0, examples: before = 0 } = sums[name] ?? {};
    const value = Number(data[0]) * (name === 'correct' ? 1 : examples);
    return [name, { sum: sum + value, examples: before + examples }] as const;
  });
  return { ...sums, ...Object.fromEntries(added) };
}

/** Accuracy, loss, and the parts of the loss if it has several; empty if no step counted. */
export function epochMetrics(sums: Sums): Record<string, number> {
  const means = Object.entries(sums).map(([name, { sum, examples }]) => [name, sum / examples] as const);
  const { correct, loss, ...parts } = Object.fromEntries(means);
  return {
    ...(correct !== undefined && { accuracy: correct }),
    ...(loss !== undefined && { loss }),
    ...(Object.keys(parts).length > 1 && parts),
  };
}

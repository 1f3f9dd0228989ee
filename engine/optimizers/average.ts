/**
 * Exponential moving average (EMA) of weights (Polyak & Juditsky 1992; Tarvainen & Valpola 2017), kept next to them.
 */
import type { Graph } from '../graph';
import { emitElementwise } from '../ops/elementwise';
import { OPTIMIZER_PREFIX } from './optimizer';

/** A state's name with this prefix is the name of its average. */
export const AVERAGE_PREFIX = `${OPTIMIZER_PREFIX}average.`;

/**
 * a ← a + (1 − decay)(w − a) at each step, with a = w at first, for all float32 states w that the step updates and whose
 * names `which` accepts. To be called after all updates of the graph were added.
 */
export function averageWeights(graph: Graph, decay: number, which: (name: string) => boolean): void {
  for (const [name, { tensor, initial }] of [...graph.states]) {
    const next = graph.updates.get(name);
    if (!which(name) || tensor.dtype !== 'float32' || !next) continue;
    const average = graph.buffer(AVERAGE_PREFIX + name, 'float32', tensor.shape, initial);
    const moved = () =>
      emitElementwise(
        'Add',
        average,
        emitElementwise('Mul', emitElementwise('Sub', next, average), graph.scalar(1 - decay)),
      );
    graph.update(average, graph.scope(`update/${name}`, moved));
  }
}

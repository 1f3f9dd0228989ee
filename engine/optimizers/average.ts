/** Exponential moving average of weights (Polyak & Juditsky 1992; Tarvainen & Valpola 2017), kept beside them. */
import type { Graph } from '../graph';
import { emitElementwise } from '../ops/elementwise';
import { OPTIMIZER_PREFIX } from './optimizer';

/** In front of the name of a state: its average among the states of a graph. */
export const AVERAGE_PREFIX = `${OPTIMIZER_PREFIX}average.`;

/** a ← a + (1 − decay)(w − a) for all float32 states w that the step changes and `which` names; at first a = w. */
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

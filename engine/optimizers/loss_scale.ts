/**
 * Dynamic loss scaling, by the rule of PyTorch's GradScaler: gradients are made of the loss times a scale, lest small ones
 * vanish in float16. A step that leaves anything not finite changes nothing but the scale, which it halves; after so many
 * steps without one the scale is doubled. Scales are powers of two, so that dividing by them is exact.
 */
import { ndarray } from '../../formats/ndarray';
import { checksum } from '../analysis/finite';
import type { Graph } from '../graph';
import { emitElementwise } from '../ops/elementwise';
import type { Tensor } from '../tensor';
import { OPTIMIZER_PREFIX } from './optimizer';

const INITIAL = 2 ** 16;
/** Sound steps before the scale grows. */
const INTERVAL = 2000;

/** The scale of a graph, a state, and how many steps in a row it has served. */
interface Scale {
  readonly value: Tensor;
  readonly served: Tensor;
}

export function lossScale(graph: Graph): Tensor {
  return scaleOf(graph).value;
}

/** Lets a step that is not finite change nothing but the scale and counters; called once all updates of the graph are there. */
export function leaveOutNonFinite(graph: Graph): void {
  const { value, served } = scaleOf(graph);
  const written = [...graph.updates].filter(([, { dtype }]) => dtype === 'float32');
  // 0 · x is 0 unless x is NaN or infinite.
  const zero = emitElementwise('Mul', checksum(written.map(([, next]) => next)), graph.scalar(0));
  const isSound = graph.emit('Equal', [zero, graph.scalar(0)], [], { dtype: 'bool' });
  const where = (condition: Tensor, a: Tensor, b: Tensor) =>
    graph.emit('Where', [condition, a, b], a.shape, { dtype: a.dtype });
  for (const [name, next] of written) {
    const { tensor } = graph.states.get(name)!;
    graph.update(tensor, where(isSound, next, tensor));
  }
  const one = emitElementwise('Add', served, graph.scalar(1));
  const grows = graph.emit('Equal', [one, graph.scalar(INTERVAL)], [], { dtype: 'bool' });
  const grown = where(grows, emitElementwise('Mul', value, graph.scalar(2)), value);
  graph.update(value, where(isSound, grown, emitElementwise('Mul', value, graph.scalar(0.5))));
  graph.update(served, where(isSound, where(grows, graph.scalar(0), one), graph.scalar(0)));
}

function scaleOf(graph: Graph): Scale {
  const state = (name: string, initial: number) => {
    const key = `${OPTIMIZER_PREFIX}${name}`;
    return (
      graph.states.get(key)?.tensor ??
      graph.buffer(key, 'float32', [], () => ndarray('float32', [], Float32Array.of(initial)))
    );
  };
  return { value: state('loss_scale', INITIAL), served: state('loss_scale_served', 0) };
}

/**
 * Dynamic loss scaling, by the rule of PyTorch's GradScaler: gradients are computed of the loss times a scale, so that small
 * ones do not vanish in float16. A step with NaN or infinities changes nothing but the scale, which it halves; after
 * `INTERVAL` finite steps in a row the scale doubles. Scales are powers of two, so that dividing by them is exact.
 */
import { ndarray } from '../../formats/ndarray';
import { checksum } from '../analysis/finite';
import type { Graph } from '../graph';
import { emitElementwise } from '../ops/elementwise';
import type { Tensor } from '../tensor';
import { OPTIMIZER_PREFIX } from './optimizer';

const INITIAL = 2 ** 16;
/** Finite steps in a row before the scale doubles. */
const INTERVAL = 2000;

/** The scale of a graph and the number of finite steps in a row with it, both of them states. */
interface Scale {
  readonly value: Tensor;
  readonly served: Tensor;
}

/** The factor that the loss is multiplied by: a float32 scalar state, 2¹⁶ at first; added to the graph by the first call. */
export function lossScale(graph: Graph): Tensor {
  return scaleOf(graph).value;
}

/**
 * Lets a step that would leave NaN or infinities in a float32 state change nothing but the scale and its counter. To be called
 * once, after all updates of the graph were added.
 */
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

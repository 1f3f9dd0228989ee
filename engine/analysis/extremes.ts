/** The range of the values of a step's tensors, and how many of them are NaN or infinite. */
import type { NdArray } from '../../formats/ndarray';
import type { Graph } from '../graph';
import { emitElementwise } from '../ops/elementwise';
import type { Tensor } from '../tensor';

/** The range of an array's values; one that is NaN or infinite counts as 0 in it. */
export interface Extremes {
  /** The smallest value. */
  readonly low: number;
  /** The largest value. */
  readonly high: number;
  /** How many values are NaN or infinite. */
  readonly nonFinite: number;
  /** How many values there are. */
  readonly size: number;
}

/** Adds an output (tensors, 3) to the graph: the extremes of float32 tensors, for `observed` to read. */
export function observe(graph: Graph, output: string, tensors: readonly Tensor[]): void {
  const rows = tensors.map((x) => graph.scope('update/check', () => row(graph, x)));
  graph.output(output, graph.emit('Concat', rows, [rows.length, 3], { attributes: { axis: 0 } }));
}

/** The extremes of the tensors that were given to `observe`, from the value of its output. */
export function observed({ data }: NdArray, tensors: readonly Tensor[]): Map<Tensor, Extremes> {
  const at = (i: number) => Number(data[i]);
  return new Map(
    tensors.map((x, i) => {
      const size = x.shape.reduce((product, length) => product * length, 1);
      return [x, { low: at(3 * i), high: at(3 * i + 1), nonFinite: at(3 * i + 2), size }];
    }),
  );
}

/** The extremes of an array on the host. */
export function extremesOf({ data }: NdArray): Extremes {
  let [low, high, nonFinite] = [Infinity, -Infinity, 0];
  for (const element of data) {
    const value = Number(element);
    if (!Number.isFinite(value)) nonFinite++;
    const finite = Number.isFinite(value) ? value : 0;
    low = Math.min(low, finite);
    high = Math.max(high, finite);
  }
  return { low, high, nonFinite, size: data.length };
}

/** (1, 3): the smallest and the largest of the finite values, and the number of the others. */
function row(graph: Graph, x: Tensor): Tensor {
  const size = x.shape.reduce((product, length) => product * length, 1);
  const flat = graph.emit('Reshape', [x, graph.integers([-1])], [size]);
  // 0 · x is 0 unless x is NaN or infinite.
  const isFinite = graph.emit('Equal', [emitElementwise('Mul', flat, graph.scalar(0)), graph.scalar(0)], [size], {
    dtype: 'bool',
  });
  const finite = graph.emit('Where', [isFinite, flat, graph.scalar(0)], [size], { dtype: 'float32' });
  const isOther = graph.emit('Not', [isFinite], [size]);
  const others = graph.emit('Cast', [isOther], [size], { dtype: 'float32', attributes: { to: 1 } });
  const parts = [['ReduceMin', finite] as const, ['ReduceMax', finite] as const, ['ReduceSum', others] as const];
  const cells = parts.map(([opType, values]) =>
    graph.emit(
      'Reshape',
      [graph.emit(opType, [values], [], { attributes: { keepdims: 0 } }), graph.integers([1, 1])],
      [1, 1],
    ),
  );
  return graph.emit('Concat', cells, [1, 3], { attributes: { axis: 1 } });
}

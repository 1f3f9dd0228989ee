/** What the values of a step's tensors are like: how far they reach, and how many are not finite. */
import type { NdArray } from '../../formats/ndarray';
import type { Graph } from '../graph';
import { emitElementwise } from '../ops/elementwise';
import type { Tensor } from '../tensor';

export interface Extremes {
  /** Of the values that are finite, and 0 where one is not. */
  readonly low: number;
  readonly high: number;
  /** How many are NaN or infinite, of how many. */
  readonly nonFinite: number;
  readonly size: number;
}

/** Makes the extremes of float32 tensors an output of their graph, (tensors, 3). */
export function observe(graph: Graph, output: string, tensors: readonly Tensor[]): void {
  const rows = tensors.map((x) => graph.scope('update/check', () => row(graph, x)));
  graph.output(output, graph.emit('Concat', rows, [rows.length, 3], { attributes: { axis: 0 } }));
}

/** The extremes of tensors as their graph has told them by the output that `observe` made. */
export function observed({ data }: NdArray, tensors: readonly Tensor[]): Map<Tensor, Extremes> {
  const at = (i: number) => Number(data[i]);
  return new Map(
    tensors.map((x, i) => {
      const size = x.shape.reduce((product, length) => product * length, 1);
      return [x, { low: at(3 * i), high: at(3 * i + 1), nonFinite: at(3 * i + 2), size }];
    }),
  );
}

/** The extremes of an array. */
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

/**
 * Sums that keep their digits. ONNX Runtime adds up float32 numbers one after the other in some cases: of 1.6 million values,
 * ReduceSumSquare is 5e-4 off, and a count along the first axis stops at 2^24. Sums of parts, and then of those, are right to
 * 1e-6, and not slower.
 */
import type { Tensor } from '../tensor';

/** More values than this are added up in parts. */
export const MANY = 2 ** 16;
/** Values of a part. */
const MOST = 2 ** 10;

/** What adds up values, and what adds up its results. */
const nextOf: Readonly<Record<string, string>> = {
  ReduceSum: 'ReduceSum',
  ReduceMean: 'ReduceMean',
  ReduceSumSquare: 'ReduceSum',
};

/** A reduction over axes, which stay with length 1 if `keepDims`; in several nodes where it adds up many values. */
export function emitReduction(opType: string, x: Tensor, axes: readonly number[], keepDims: boolean): Tensor {
  return inParts(opType, x, axes, keepDims, isOverRows(x, axes) ? MOST : MANY);
}

/** Whether whole rows are added up, for which ONNX Runtime uses one thread where the rows are along the first axis. */
function isOverRows(x: Tensor, axes: readonly number[]): boolean {
  return axes.length < x.shape.length && axes.every((_, i) => axes.includes(i));
}

function inParts(opType: string, x: Tensor, axes: readonly number[], keepDims: boolean, most: number): Tensor {
  const { graph } = x;
  const sorted = [...axes].sort((a, b) => a - b);
  const kept = x.shape.map((length, axis) => (axes.includes(axis) ? 1 : length));
  const shape = keepDims ? kept : x.shape.filter((_, axis) => !axes.includes(axis));
  const count = sorted.reduce((product, axis) => product * x.shape[axis]!, 1);
  const next = nextOf[opType];
  const parts = next === undefined || count <= most ? undefined : split(x, sorted);
  if (next === undefined || parts === undefined) {
    return graph.emit(opType, [x, graph.integers(axes)], shape, { attributes: { keepdims: keepDims ? 1 : 0 } });
  }
  const first = inParts(opType, parts.x, parts.inner, true, MOST);
  const sums = inParts(next, first, parts.outer, true, MOST);
  if (sums.shape.join() === shape.join()) return sums;
  const asked = shape.map((length, axis) => (axis < sorted[0]! ? 0 : length));
  return graph.emit('Reshape', [sums, graph.integers(asked)], shape);
}

/** Σ x² of all values, without an entry on the tape. */
export function sumOfSquares(x: Tensor): Tensor {
  const axes = x.shape.map((_, axis) => axis);
  return emitReduction('ReduceSumSquare', x, axes, false);
}

interface Parts {
  readonly x: Tensor;
  /** Axes that are reduced first, of up to MOST values. */
  readonly inner: readonly number[];
  readonly outer: readonly number[];
}

/** The last axes that one node can reduce, and the others; a longer axis is cut into two. Undefined where it has no divisor. */
function split(x: Tensor, axes: readonly number[]): Parts | undefined {
  const inner: number[] = [];
  let count = 1;
  for (const axis of axes.toReversed()) {
    if (count * x.shape[axis]! > MOST) break;
    count *= x.shape[axis]!;
    inner.unshift(axis);
  }
  if (count > 1) return { x, inner, outer: axes.filter((axis) => !inner.includes(axis)) };
  const axis = axes.at(-1)!;
  const length = x.shape[axis]!;
  const part = largestDivisor(length);
  if (part === 1) return undefined;
  const { shape } = x;
  const cut = [...shape.slice(0, axis), length / part, part, ...shape.slice(axis + 1)];
  // 0 copies the length of an axis: the first one may be open.
  const asked = cut.map((size, i) => (i < axis ? 0 : size));
  const later = (one: number) => (one > axis ? one + 1 : one);
  return {
    x: x.graph.emit('Reshape', [x, x.graph.integers(asked)], cut),
    inner: [axis + 1],
    outer: axes.map(later),
  };
}

function largestDivisor(length: number): number {
  for (let part = MOST; part > 1; part--) if (length % part === 0) return part;
  return 1;
}

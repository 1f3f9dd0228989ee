/**
 * Transposition of planes, (…, A, B) → (…, B, A), by way of the blocked layout: ONNX Runtime's kernels into it and out of it run on
 * all threads and read and write whole vectors, where its Transpose moves one number at a time, five times slower or more. Maps
 * with channels first change to channels last by it, and back.
 */
import { sizeOf } from '../../../formats/ndarray';
import type { Node } from '../../graph';
import type { Replacement } from '../../onnx/rewrite';
import { emitReshape } from '../../ops/shape';
import type { Tensor } from '../../tensor';
import type { LayoutMap } from './layout_map';
import { canBeFilled, fromBlocks, fromBlocksToLast, toBlocks, toBlocksFromLast } from './operators';

/** Numbers below which a Transpose takes no time. */
const FEW = 2 ** 14;

interface Planes {
  readonly count: number;
  readonly rows: number;
  readonly columns: number;
}

/** What replaces a Transpose of planes; undefined for other nodes. */
export function transposedPlanes(node: Node, layouts: LayoutMap): Replacement | undefined {
  const planes = planesOf(node);
  if (!planes) return undefined;
  const [x] = node.inputs as [Tensor];
  const { shape } = node.outputs[0]!;
  const { count, rows, columns } = planes;
  const { block } = layouts;
  const hasChannelsFirst = count === x.shape[0] && rows === x.shape[1];
  if (hasChannelsFirst && layouts.has(x)) {
    const map = layouts.view(x, [count, rows, 1, columns]);
    return emitReshape(fromBlocksToLast(map, [count, columns, rows], block), shape);
  }
  if (!canBeFilled(columns)) {
    const form = toBlocks(layouts.plain(x), [count, rows, columns], block);
    return emitReshape(fromBlocksToLast(form, [count, columns, rows], block), shape);
  }
  if (columns % block === 0 && shape[1] === columns && shape[0] === count) {
    const form = toBlocksFromLast(layouts.plain(x), [count, rows, columns], block);
    return layouts.keep(node.outputs[0]!, emitReshape(form, layouts.formOf(shape)));
  }
  return emitReshape(transposed(layouts.plain(x), [count, rows, columns], block), shape);
}

/** (N, A, B) → (N, B, 1, A), where `canBeFilled` holds for B. */
export function transposed(
  x: Tensor,
  [count, rows, columns]: readonly [number, number, number],
  block: number,
): Tensor {
  return fromBlocks(toBlocksFromLast(x, [count, rows, columns], block), [count, columns, rows], block);
}

/** Of a Transpose that leaves the first axes alone and lets two runs of others change places. */
function planesOf({ opType, inputs, attributes }: Node): Planes | undefined {
  const [x] = inputs;
  if (opType !== 'Transpose' || x!.dtype !== 'float32' || sizeOf(x!.shape) < FEW) return undefined;
  const order = attributes.perm as readonly number[];
  const start = order.findIndex((axis, i) => axis !== i);
  if (start < 0) return undefined;
  const middle = order[start]!;
  const turned = [...order.keys()].map((i) =>
    i < start ? i : start + ((i - start + middle - start) % (order.length - start)),
  );
  if (order.some((axis, i) => axis !== turned[i])) return undefined;
  const [count, rows, columns] = [
    [0, start],
    [start, middle],
    [middle, order.length],
  ].map(([from, to]) => sizeOf(x!.shape.slice(from, to))) as [number, number, number];
  return canBeFilled(rows) || canBeFilled(columns) ? { count, rows, columns } : undefined;
}

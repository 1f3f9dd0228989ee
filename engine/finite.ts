/** Whether what a step makes are numbers, told by its own graph. */
import { raw } from './ops/elementwise';
import type { Tensor } from './tensor';

/**
 * The sum of all elements of float32 tensors: NaN or infinite where one of them is, and finite where all are, up to a sum
 * beyond 3.4e38. One pass over each tensor, and no memory.
 */
export function checksum(tensors: readonly Tensor[]): Tensor {
  const sums = tensors.map((x) =>
    x.graph.scope('update/check', () => x.graph.emit('ReduceSum', [x], [], { attributes: { keepdims: 0 } })),
  );
  return sums.reduce((total, one) => total.graph.scope('update/check', () => raw('Add', total, one)));
}

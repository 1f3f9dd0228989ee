/** Whether what a step makes are numbers, told by its own graph. */
import type { Tensor } from '../tensor';

/**
 * The sum of all elements of float32 tensors: NaN or infinite where one of them is, and finite where all are, up to a sum
 * beyond 3.4e38. One pass over each tensor; vectors are put end to end, being many and short.
 */
export function checksum(tensors: readonly Tensor[]): Tensor {
  const [{ graph }] = tensors as [Tensor];
  const sum = (x: Tensor) => graph.emit('ReduceSum', [x], [], { attributes: { keepdims: 0 } });
  return graph.scope('update/check', () => {
    const vectors = tensors.filter(({ shape }) => shape.length === 1);
    const length = vectors.reduce((total, { shape }) => total + shape[0]!, 0);
    const row = vectors.length > 0 ? [graph.emit('Concat', vectors, [length], { attributes: { axis: 0 } })] : [];
    const others = tensors.filter(({ shape }) => shape.length !== 1);
    return graph.emit('Sum', [...row, ...others].map(sum), []);
  });
}

/** A check within the graph of a step that its results are finite. */
import type { Tensor } from '../tensor';

/**
 * The sum of all elements of float32 tensors, a scalar: NaN or infinite if one of them is, finite if all are (unless the sum
 * exceeds 3.4e38). One pass over each tensor; vectors, many and short, are concatenated first.
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

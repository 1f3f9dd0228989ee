/** The arithmetic of a graph: multiplications and additions of its convolutions and matrix products. */
import { sizeOf } from '../../formats/ndarray';
import type { Graph } from '../graph';

/** Floating-point operations of one run; a multiply-add counts as two. */
export function flops(graph: Graph): number {
  let total = 0;
  for (const { opType, inputs, outputs } of graph.nodes) {
    const output = sizeOf(outputs[0]!.shape);
    // Every element of the output sums over (channels / groups) · taps products, or over the inputs of a linear layer.
    if (opType === 'Conv') total += 2 * output * sizeOf(inputs[1]!.shape.slice(1));
    if (opType === 'Gemm' || opType === 'MatMul') total += 2 * output * inputs[0]!.shape.at(-1)!;
  }
  return total;
}

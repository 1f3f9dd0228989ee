/**
 * The same graph in version 17 of ONNX's operator set, which far more programs read than the 18 of training graphs.
 * What differs: reductions take their axes as an attribute (ReduceSum excepted).
 */
import type { Graph, Node } from '../graph';
import type { Tensor } from '../tensor';
import { rewrite, type Rewriter } from './rewrite';

/** The same graph with every node in the form of version 17. Throws if the axes of a reduction are not constant. */
export function toOpset17(graph: Graph): Graph {
  return rewrite(graph, (node, rewriter) => {
    if (/^Reduce(?!Sum$)/.test(node.opType)) return [reduction(node, rewriter)];
    return undefined;
  });
}

function reduction({ opType, inputs, outputs, attributes }: Node, rewriter: Rewriter): Tensor {
  const [x, axes] = inputs;
  return rewriter.target.emit(opType, [rewriter.lookup(x!)], outputs[0]!.shape, {
    attributes: { ...attributes, ...(axes && { axes: integersOf(axes, rewriter) }) },
  });
}

function integersOf(tensor: Tensor, rewriter: Rewriter): number[] {
  const value = rewriter.value(tensor);
  if (!value) throw new Error(`toOpset17: "${tensor.name}" is not a constant`);
  return Array.from(value.data, Number);
}

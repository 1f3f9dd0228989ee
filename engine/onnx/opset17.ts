/**
 * The same graph in version 17 of ONNX's operator set, which far more programs read than the 18 of training graphs.
 * What differs: reductions take their axes as an attribute (ReduceSum excepted), and Pad has no axes, it pads all.
 */
import type { Graph, Node } from '../graph';
import type { Tensor } from '../tensor';
import { rewrite, type Rewriter } from './rewrite';

/** Lowers every node that version 17 writes differently. */
export function toOpset17(graph: Graph): Graph {
  return rewrite(graph, (node, rewriter) => {
    if (/^Reduce(?!Sum$)/.test(node.opType)) return [reduction(node, rewriter)];
    if (node.opType === 'Pad' && node.inputs[3]) return [padding(node, rewriter)];
    return undefined;
  });
}

function reduction({ opType, inputs, outputs, attributes }: Node, rewriter: Rewriter): Tensor {
  const [x, axes] = inputs;
  return rewriter.target.emit(opType, [rewriter.image(x!)], outputs[0]!.shape, {
    attributes: { ...attributes, ...(axes && { axes: integersOf(axes, rewriter) }) },
  });
}

function padding({ inputs, outputs, attributes }: Node, rewriter: Rewriter): Tensor {
  const { target } = rewriter;
  const [x, pads, value, axes] = inputs as [Tensor, Tensor, Tensor | undefined, Tensor];
  const amounts = integersOf(pads, rewriter);
  const padded = integersOf(axes, rewriter);
  const all = new Array<number>(2 * x.shape.length).fill(0);
  padded.forEach((axis, i) => {
    all[axis] = amounts[i]!;
    all[x.shape.length + axis] = amounts[padded.length + i]!;
  });
  const operands = [rewriter.image(x), target.integers(all), ...(value ? [rewriter.image(value)] : [])];
  return target.emit('Pad', operands, outputs[0]!.shape, { attributes });
}

function integersOf(tensor: Tensor, rewriter: Rewriter): number[] {
  const value = rewriter.value(tensor);
  if (!value) throw new Error(`toOpset17: "${tensor.name}" is not a constant`);
  return Array.from(value.data, Number);
}

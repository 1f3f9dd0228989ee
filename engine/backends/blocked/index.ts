/**
 * A training graph for ONNX Runtime's CPU kernels: convolutions run in the blocked layout that it gives them itself where
 * weights are constant, and what lies between two of them stays in that layout. The normalization of a map, the addition of
 * a shortcut and a ReLU become one pass.
 */
import type { Graph, Node } from '../../graph';
import { prune } from '../../onnx/prune';
import { rewrite, soleReaders } from '../../onnx/rewrite';
import { weightGradientOf } from '../../ops/conv_hints';
import type { Tensor } from '../../tensor';
import { affine, convolution, isAffine, isConvolution, type Epilogue } from './convolution';
import { propagateLayout } from './layout_propagation';
import { LayoutMap } from './layout_map';
import { weightGradient } from './weight_gradient';

/** The same graph with blocks of `block` channels. */
export function toBlockedLayout(source: Graph, block: number): Graph {
  const soleReader = soleReaders(source);
  /** Results of nodes that were made together with an earlier one. */
  const early = new Map<Node, Tensor>();
  let values: LayoutMap | undefined;

  const target = rewrite(source, (node, rewriter) => {
    values ??= new LayoutMap(rewriter, block);
    const [output] = node.outputs as [Tensor];
    const ready = early.get(node);
    if (ready) return [values.keep(output, ready)];
    const gradient = weightGradientOf(output);
    if (gradient) return [weightGradient(gradient, output.shape, values)];
    const make = isConvolution(node, block) ? convolution : isAffine(node, values) ? affine : undefined;
    if (make) {
      const { nodes, epilogue } = epilogueOf(node, soleReader, values);
      const form = make(node, values, epilogue, rewriter);
      for (const other of nodes) early.set(other, form);
      return [values.keep(output, form)];
    }
    const form = propagateLayout(node, values, rewriter);
    return form && [form];
  });
  prune(target);
  return target;
}

/** The addition and the ReLU that a convolution can take with it, being the only ones to see its result. */
function epilogueOf(
  node: Node,
  soleReader: (tensor: Tensor) => Node | undefined,
  values: LayoutMap,
): { nodes: Node[]; epilogue: Epilogue } {
  const nodes: Node[] = [];
  let [output] = node.outputs as [Tensor];
  let next = soleReader(output);
  let shortcut: Tensor | undefined;
  if (next?.opType === 'Add') {
    const other = next.inputs.find((input) => input !== output);
    if (
      other &&
      values.isMade(other) &&
      other.shape.length === 4 &&
      other.shape.every((n, i) => n === output.shape[i])
    ) {
      shortcut = other;
      nodes.push(next);
      [output] = next.outputs as [Tensor];
      next = soleReader(output);
    }
  }
  const hasRelu = next?.opType === 'Relu';
  if (hasRelu) nodes.push(next!);
  return { nodes, epilogue: { shortcut, hasRelu } };
}

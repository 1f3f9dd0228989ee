/**
 * The blocked layout (NCHWc) for training graphs. ONNX Runtime changes to it by itself only if weights are constant; here
 * convolutions with trained weights run in it as well, and the operators between two of them stay in it. A normalization, the
 * addition of a shortcut and a ReLU become one pass over the map.
 */
import type { Graph, Node } from '../../graph';
import { prune } from '../../onnx/prune';
import { rewrite, soleReaders } from '../../onnx/rewrite';
import { weightGradientOf } from '../../ops/conv_hints';
import type { Tensor } from '../../tensor';
import { affine, convolution, isAffine, isConvolution, type PostOps } from './convolution';
import {
  isRaggedDepthwise,
  isTransposedDepthwise,
  raggedDepthwise,
  transposedDepthwise,
  withoutZeros,
} from './depthwise';
import { LayoutMap } from './layout_map';
import { propagateLayout } from './layout_propagation';
import { planeSums, summedProducts } from './plane_sums';
import { transposedPlanes } from './plane_transposition';
import { isTransposedConvolution, transposedConvolution } from './transposed_convolution';
import { weightGradient } from './weight_gradient';

/** The same graph in the blocked layout with `block` channels in a block. */
export function toBlockedLayout(source: Graph, block: number): Graph {
  const soleReader = soleReaders(source);
  const products = summedProducts(source, soleReader);
  /** Results of nodes that were fused into an earlier one. */
  const early = new Map<Node, Tensor>();
  let layouts: LayoutMap | undefined;

  const target = rewrite(source, (node, rewriter) => {
    layouts ??= new LayoutMap(rewriter, block);
    const [output] = node.outputs as [Tensor];
    const ready = early.get(node);
    if (ready) return [layouts.keep(output, ready)];
    const gradient = weightGradientOf(output);
    if (gradient) return [weightGradient(gradient, output.shape, layouts)];
    const make = isConvolution(node, block) ? convolution : isAffine(node, layouts) ? affine : undefined;
    if (make) {
      const { nodes, postOps } = postOpsOf(node, soleReader, layouts);
      const form = make(node, layouts, postOps, rewriter);
      for (const other of nodes) early.set(other, form);
      return [layouts.keep(output, form)];
    }
    if (isRaggedDepthwise(node, block)) return [raggedDepthwise(node, layouts)];
    if (isTransposedDepthwise(node)) {
      const form = transposedDepthwise(node, layouts);
      return [output.shape[1]! % block > 0 ? withoutZeros(form, output.shape, block) : layouts.keep(output, form)];
    }
    if (isTransposedConvolution(node, block)) return [layouts.keep(output, transposedConvolution(node, layouts))];
    const form =
      transposedPlanes(node, layouts) ??
      planeSums(node, products, layouts, rewriter) ??
      propagateLayout(node, layouts, rewriter);
    return form && [form];
  });
  prune(target);
  return target;
}

/** The addition and the ReLU after a convolution that can be fused into it, as nothing else reads its result; and their nodes. */
function postOpsOf(
  node: Node,
  soleReader: (tensor: Tensor) => Node | undefined,
  layouts: LayoutMap,
): { nodes: Node[]; postOps: PostOps } {
  const nodes: Node[] = [];
  let [output] = node.outputs as [Tensor];
  let next = soleReader(output);
  let shortcut: Tensor | undefined;
  if (next?.opType === 'Add') {
    const other = next.inputs.find((input) => input !== output);
    if (
      other &&
      layouts.isMade(other) &&
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
  return { nodes, postOps: { shortcut, hasRelu } };
}

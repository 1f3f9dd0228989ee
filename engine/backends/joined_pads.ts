/**
 * Gradients of slices, joined. The gradient of a slice is its own one between zeros; where slices share out a tensor along an axis, as
 * those of queries, keys and values of an attention do, the sum of these gradients is nothing but their concatenation.
 */
import type { Graph, Node } from '../graph';
import { rewrite, type Replacement, type Rewriter } from '../onnx/rewrite';
import type { Tensor } from '../tensor';

/** A tensor between zeros along an axis, `start` of them before it. */
interface Padded {
  readonly part: Tensor;
  readonly axis: number;
  readonly start: number;
}

/** The same graph, in which sums of tensors that are padded with zeros to fill an axis together are concatenations. */
export function joinPads(source: Graph): Graph {
  const sums = filledSums(source);
  if (sums.size === 0) return source;
  return rewrite(source, (node, rewriter) => {
    const parts = sums.get(node);
    if (parts) {
      const axis = parts[0]!.axis;
      const own = parts.map(({ part }) => rewriter.lookup(part));
      return [rewriter.target.emit('Concat', own, node.outputs[0]!.shape, { attributes: { axis } })];
    }
    return node.opType === 'Pad' || node.opType === 'Add' ? whenRead(node, rewriter) : undefined;
  });
}

/** A node that is copied if its output is read: those that a concatenation replaces are not. */
function whenRead(node: Node, rewriter: Rewriter): Replacement[] {
  return [() => rewriter.copy(node)[0]!];
}

/** The additions whose terms fill an axis, with the terms in their order. */
function filledSums(graph: Graph): Map<Node, readonly Padded[]> {
  const termsOf = new Map<Tensor, readonly Padded[]>();
  const found = new Map<Node, readonly Padded[]>();
  for (const node of graph.nodes) {
    const [output] = node.outputs as [Tensor];
    if (node.opType === 'Pad') {
      const padded = paddedBy(graph, node);
      if (padded) termsOf.set(output, [padded]);
    }
    if (node.opType !== 'Add') continue;
    const [left, right] = node.inputs.map((input) => termsOf.get(input!));
    if (!left || !right) continue;
    const terms = [...left, ...right].sort((a, b) => a.start - b.start);
    termsOf.set(output, terms);
    if (fills(terms, output)) found.set(node, terms);
  }
  return found;
}

function fills(terms: readonly Padded[], whole: Tensor): boolean {
  const { axis } = terms[0]!;
  let end = 0;
  for (const term of terms) {
    if (term.axis !== axis || term.start !== end) return false;
    end += term.part.shape[axis]!;
  }
  return end === whole.shape[axis];
}

/** What a node pads with zeros along one axis; undefined for other padding. */
function paddedBy(graph: Graph, { inputs, outputs, attributes }: Node): Padded | undefined {
  const [part, amounts, value] = inputs;
  const pads = amounts && graph.constants.get(amounts)?.data;
  if (!part || !pads || value || Object.keys(attributes).length > 0) return undefined;
  const axes = part.shape.flatMap((length, axis) => (outputs[0]!.shape[axis] === length ? [] : [axis]));
  return axes.length === 1 ? { part, axis: axes[0]!, start: Number(pads[axes[0]!]) } : undefined;
}

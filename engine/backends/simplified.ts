/**
 * What a compiler removes before anything else, removed here in milliseconds: ONNX Runtime takes two seconds for it in a step of
 * ResNet-110. A reshape of another is one of what that was made from, and none where the shape is that again: in the blocked
 * layout six thousand of 14,000 nodes are reshapes. Nodes that do the same to the same tensors are one.
 */
import { ndarray, sizeOf } from '../../formats/ndarray';
import type { Graph, Node } from '../graph';
import { prune } from '../onnx/prune';
import { reshapeTarget } from '../ops/shape';
import { sameShape, type Tensor } from '../tensor';

/** Elements of a constant that is not worth computing before the first step. */
const SMALL = 2 ** 16;

/** Simplifies a graph in place; values stay the same to the bit. */
export function simplify(graph: Graph): void {
  const simplifier = new Simplifier(graph);
  graph.nodes.splice(0, graph.nodes.length, ...graph.nodes.flatMap((node) => simplifier.simplified(node)));
  for (const [name, tensor] of graph.outputs) graph.outputs.set(name, simplifier.current(tensor));
  for (const [name, tensor] of graph.updates) graph.updates.set(name, simplifier.current(tensor));
  prune(graph);
}

/** Whether large values follow from constants alone, so that a compiler should compute them once; zeros to fill up with do not count. */
export function hasLargeConstants({ nodes, constants }: Graph): boolean {
  const known = new Set<Tensor | undefined>([undefined, ...constants.keys()]);
  return nodes.some(({ opType, inputs, outputs }) => {
    if (opType === 'Expand' || !inputs.every((input) => known.has(input))) return false;
    for (const output of outputs) known.add(output);
    return outputs.some(({ shape }) => sizeOf(shape) > SMALL);
  });
}

class Simplifier {
  /** What a tensor has the values of, in another shape. */
  private readonly origins = new Map<Tensor, Tensor>();
  private readonly replaced = new Map<Tensor, Tensor>();
  private readonly numbers = new Map<Tensor, number>();
  /** Results by what nodes do to which tensors. */
  private readonly results = new Map<string, readonly Tensor[]>();

  constructor(private readonly graph: Graph) {}

  current(tensor: Tensor): Tensor {
    return this.replaced.get(tensor) ?? tensor;
  }

  /** The node that takes the place of one, if any. */
  simplified(node: Node): Node[] {
    const { replaced } = this;
    const isSame = !node.inputs.some((input) => input && replaced.has(input));
    const own = isSame ? node : { ...node, inputs: node.inputs.map((input) => input && this.current(input)) };
    return own.opType === 'Reshape' ? this.reshape(own) : this.once(own);
  }

  /** Nothing in the place of a node that is there already. */
  private once(node: Node): Node[] {
    const key = this.keyOf(node);
    const known = this.results.get(key);
    if (!known) {
      this.results.set(key, node.outputs);
      return [node];
    }
    node.outputs.forEach((output, i) => this.replaced.set(output, known[i]!));
    return [];
  }

  /** A reshape of what its input was made from; nothing in its place if that is it already, or a constant. */
  private reshape(node: Node): Node[] {
    const { graph, origins, replaced } = this;
    const [x, output] = [node.inputs[0]!, node.outputs[0]!];
    const origin = origins.get(x) ?? x;
    origins.set(output, origin);
    const constant = graph.constants.get(origin);
    if (sameShape(origin.shape, output.shape)) replaced.set(output, origin);
    else if (constant) replaced.set(output, graph.constant(ndarray(constant.dtype, output.shape, constant.data)));
    else return this.once({ ...node, inputs: [origin, reshapeTarget(origin, output.shape)] });
    return [];
  }

  private keyOf({ opType, domain, inputs, attributes }: Node): string {
    const operands = inputs.map((input) => input && this.numberOf(input)).join();
    return `${domain} ${opType} ${operands} ${JSON.stringify(attributes)}`;
  }

  private numberOf(tensor: Tensor): number {
    const number = this.numbers.get(tensor) ?? this.numbers.size;
    this.numbers.set(tensor, number);
    return number;
  }
}

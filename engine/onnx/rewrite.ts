/** A graph made from another one, node by node: the frame of every pass over a finished graph. */
import type { NamedArrays } from '../../utils/ndarray';
import { Graph, type Node } from '../graph';
import type { Tensor } from '../tensor';

/** What a pass puts in the place of a node: the tensors that stand for its outputs, or undefined to keep the node. */
export type Rule = (node: Node, rewriter: Rewriter) => readonly Tensor[] | undefined;

/**
 * Copies inputs, nodes, used states and constants, and outputs of `source`, except where `rule` emits something else.
 * The nodes keep their scopes; updates and the tape are left out, as what is rewritten is not trained.
 */
export function rewrite(source: Graph, rule: Rule): Graph {
  const rewriter = new Rewriter(source);
  for (const { name, dtype, shape } of source.inputs.values()) rewriter.target.input(name, dtype, shape);
  for (const node of source.nodes) {
    rewriter.target.scope(scopeOf(node), () => {
      const outputs = rule(node, rewriter) ?? rewriter.copy(node);
      node.outputs.forEach((output, i) => rewriter.replace(output, outputs[i]!));
    });
  }
  for (const [name, tensor] of source.outputs) rewriter.target.output(name, rewriter.image(tensor));
  return rewriter.target;
}

/** The graph under construction, and which of its tensors stands for which of the source. */
export class Rewriter {
  readonly target = new Graph();
  private readonly images = new Map<Tensor, Tensor>();

  constructor(private readonly source: Graph) {}

  /** The tensor of the target that stands for one of the source; states and constants are copied when first asked for. */
  image(tensor: Tensor): Tensor {
    const known = this.images.get(tensor) ?? this.target.inputs.get(tensor.name);
    if (known) return known;
    const constant = this.source.constants.get(tensor);
    const state = this.source.states.get(tensor.name);
    if (!constant && !state) throw new Error(`rewrite: nothing stands for "${tensor.name}"`);
    const copy = constant
      ? this.target.constant(constant)
      : this.target.buffer(tensor.name, tensor.dtype, tensor.shape, state!.initial);
    this.images.set(tensor, copy);
    return copy;
  }

  /** Lets a tensor of the target stand for one of the source from here on. */
  replace(tensor: Tensor, by: Tensor): void {
    this.images.set(tensor, by);
  }

  /** The node on the images of its inputs. */
  copy(node: Node): Tensor[] {
    const { opType, inputs, outputs, attributes, domain } = node;
    const images = inputs.map((input) => input && this.image(input));
    return this.target.emitMany(opType, images, outputs, { attributes, domain });
  }
}

/** The initial values of all states. */
export function initialValues(graph: Graph): NamedArrays {
  return new Map([...graph.states].map(([name, { initial }]) => [name, initial()]));
}

/** For each tensor the nodes that read it. */
export function readersOf(graph: Graph): Map<Tensor, Node[]> {
  const readers = new Map<Tensor, Node[]>();
  for (const node of graph.nodes) {
    for (const input of new Set(node.inputs)) {
      if (input) readers.set(input, [...(readers.get(input) ?? []), node]);
    }
  }
  return readers;
}

/** `layer1.0.conv1` of a node named `layer1.0.conv1/Conv#5`. */
function scopeOf({ name }: Node): string {
  return name.split('/').slice(0, -1).join('/');
}

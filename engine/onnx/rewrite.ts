/** A graph made from another one, node by node: the frame of every pass over a finished graph. */
import type { NamedArrays, NdArray } from '../../formats/ndarray';
import { Graph, type Node } from '../graph';
import type { Tensor } from '../tensor';

/** A tensor of the target, or what emits it when it is first asked for. */
export type Replacement = Tensor | (() => Tensor);

/** What a pass puts in the place of a node: what stands for its outputs, or undefined to keep the node. */
export type RewriteRule = (node: Node, rewriter: Rewriter) => readonly Replacement[] | undefined;

/**
 * Copies inputs, nodes, used states and constants, outputs and updates of `source`, except where `rule` emits something
 * else. A state gets its value from `values` where that has one. Nodes stay in their scopes; the tape is left out, as
 * gradients are nodes already.
 */
export function rewrite(source: Graph, rule: RewriteRule, values: NamedArrays = new Map()): Graph {
  const rewriter = new Rewriter(source, values);
  const { target } = rewriter;
  for (const tensor of source.inputs.values()) {
    rewriter.replace(tensor, target.input(tensor.name, tensor.dtype, tensor.shape));
  }
  for (const node of source.nodes) {
    const inScope = <T>(build: () => T): T => {
      const scope = node.name.split('/').slice(0, -1).join('/');
      return target.unscoped(() => (scope === '' ? build() : target.scope(scope, build)));
    };
    const images = inScope(() => rule(node, rewriter) ?? rewriter.copy(node));
    node.outputs.forEach((output, i) => {
      const image = images[i]!;
      rewriter.replace(output, typeof image === 'function' ? () => inScope(image) : image);
    });
  }
  for (const [name, tensor] of source.outputs) target.output(name, rewriter.lookup(tensor));
  for (const [name, tensor] of source.updates) {
    target.update(rewriter.lookup(source.states.get(name)!.tensor), rewriter.lookup(tensor));
  }
  return target;
}

/** The graph under construction, and which of its tensors stands for which of the source. */
export class Rewriter {
  readonly target = new Graph();
  private readonly images = new Map<Tensor, Replacement>();

  constructor(
    private readonly source: Graph,
    private readonly values: NamedArrays,
  ) {}

  /** The tensor of the target that stands for one of the source; states and constants are copied when first asked for. */
  lookup(tensor: Tensor): Tensor {
    const known = this.images.get(tensor);
    if (known) {
      const image = typeof known === 'function' ? known() : known;
      this.images.set(tensor, image);
      return image;
    }
    const constant = this.source.constants.get(tensor);
    if (!constant && !this.source.states.has(tensor.name)) {
      throw new Error(`rewrite: nothing stands for "${tensor.name}"`);
    }
    const copy = constant
      ? this.target.constant(constant)
      : this.target.buffer(tensor.name, tensor.dtype, tensor.shape, () => this.value(tensor)!);
    this.images.set(tensor, copy);
    return copy;
  }

  /** The value of a constant or state of the source; undefined for what is computed or fed. */
  value(tensor: Tensor): NdArray | undefined {
    const state = this.source.states.get(tensor.name);
    return this.source.constants.get(tensor) ?? (state && (this.values.get(tensor.name) ?? state.initial()));
  }

  /** The elements of an int64 constant of the source; undefined for other tensors. */
  integers(tensor: Tensor): number[] | undefined {
    const constant = this.source.constants.get(tensor);
    return constant?.dtype === 'int64' ? Array.from(constant.data, Number) : undefined;
  }

  /** A constant of the source; undefined for other tensors. */
  constant(tensor: Tensor): NdArray | undefined {
    return this.source.constants.get(tensor);
  }

  /** Whether something stands for a tensor of the source by now. */
  has(tensor: Tensor): boolean {
    return this.images.has(tensor) || this.source.constants.has(tensor) || this.source.states.has(tensor.name);
  }

  /** Lets another tensor stand for one of the source from here on. */
  replace(tensor: Tensor, by: Replacement): void {
    this.images.set(tensor, by);
  }

  /** The node as it is, on the images of its inputs. */
  copy({ opType, inputs, outputs, attributes, domain }: Node): Tensor[] {
    const images = inputs.map((input) => input && this.lookup(input));
    return this.target.emitMany(opType, images, outputs, { attributes, domain });
  }
}

/** The initial values of all states: what a rewritten graph is frozen with. */
export function valuesOf(graph: Graph): NamedArrays {
  return new Map([...graph.states].map(([name, { initial }]) => [name, initial()]));
}

/** The node that alone reads a tensor, which is no output or new state either; undefined where there are more or none. */
export function soleReaders(graph: Graph): (tensor: Tensor) => Node | undefined {
  const readers = new Map<Tensor, Set<Node | undefined>>();
  const read = (tensor: Tensor, by: Node | undefined) =>
    readers.set(tensor, (readers.get(tensor) ?? new Set()).add(by));
  for (const node of graph.nodes) for (const input of node.inputs) if (input) read(input, node);
  for (const tensor of [...graph.outputs.values(), ...graph.updates.values()]) read(tensor, undefined);
  return (tensor) => {
    const [reader, ...others] = readers.get(tensor) ?? [];
    return others.length === 0 ? reader : undefined;
  };
}

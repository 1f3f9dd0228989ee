/** Building a graph from another, node by node: the frame of every pass over a finished graph. */
import type { NamedArrays, NdArray } from '../../formats/ndarray';
import { Graph, type Node } from '../graph';
import { copyHints } from '../ops/conv_hints';
import type { Tensor } from '../tensor';

/** A tensor of the target graph, or a function that emits it when it is first looked up. */
export type Replacement = Tensor | (() => Tensor);

/** A pass: the replacements of a node's outputs, in their order, or undefined to copy the node. */
export type RewriteRule = (node: Node, rewriter: Rewriter) => readonly Replacement[] | undefined;

/**
 * Copies inputs, nodes, used states and constants, outputs and updates of `source` to a new graph, except where `rule` emits
 * something else. A state takes its initial value from `values`, if it has one there. Nodes stay in their scopes; the tape is
 * left out, as gradients are nodes already.
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
    const results = inScope(() => rule(node, rewriter) ?? rewriter.copy(node));
    node.outputs.forEach((output, i) => {
      const result = results[i]!;
      rewriter.replace(output, typeof result === 'function' ? () => inScope(result) : result);
    });
  }
  for (const [name, tensor] of source.outputs) target.output(name, rewriter.lookup(tensor));
  for (const [name, tensor] of source.updates) {
    target.update(rewriter.lookup(source.states.get(name)!.tensor), rewriter.lookup(tensor));
  }
  return target;
}

/** The graph under construction, and which of its tensors replaces which of the source. */
export class Rewriter {
  /** The new graph. */
  readonly target = new Graph();
  private readonly replacements = new Map<Tensor, Replacement>();

  constructor(
    private readonly source: Graph,
    private readonly values: NamedArrays,
  ) {}

  /**
   * The tensor of the target that replaces one of the source; states and constants are copied when they are first looked up.
   * Throws if nothing replaces it yet.
   */
  lookup(tensor: Tensor): Tensor {
    const known = this.replacements.get(tensor);
    if (known) {
      const made = typeof known === 'function' ? known() : known;
      this.replacements.set(tensor, made);
      return made;
    }
    const constant = this.source.constants.get(tensor);
    if (!constant && !this.source.states.has(tensor.name)) {
      throw new Error(`rewrite: "${tensor.name}" has no replacement`);
    }
    const copy = constant
      ? this.target.constant(constant)
      : this.target.buffer(tensor.name, tensor.dtype, tensor.shape, () => this.value(tensor)!);
    this.replacements.set(tensor, copy);
    return copy;
  }

  /** The value of a constant, or the initial value of a state, of the source; undefined for other tensors. */
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

  /** Whether `lookup` of a tensor of the source succeeds by now. */
  has(tensor: Tensor): boolean {
    return this.replacements.has(tensor) || this.source.constants.has(tensor) || this.source.states.has(tensor.name);
  }

  /** Replaces a tensor of the source from here on. */
  replace(tensor: Tensor, by: Replacement): void {
    this.replacements.set(tensor, by);
  }

  /** Copies a node, with its inputs looked up and what is noted of its outputs; returns the outputs. */
  copy({ opType, inputs, outputs, attributes, domain }: Node): Tensor[] {
    const operands = inputs.map((input) => input && this.lookup(input));
    const copies = this.target.emitMany(opType, operands, outputs, { attributes, domain });
    outputs.forEach((output, i) => copyHints(output, copies[i]!, (tensor) => this.lookup(tensor)));
    return copies;
  }
}

/** The initial values of all states, by name: what a rewritten graph is frozen with. */
export function valuesOf(graph: Graph): NamedArrays {
  return new Map([...graph.states].map(([name, { initial }]) => [name, initial()]));
}

/** Finds the only node that reads a tensor; undefined if several do or none, or if it is an output or a new state. */
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

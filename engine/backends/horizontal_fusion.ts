/**
 * Horizontal fusion of the updates of vectors. Each BatchNorm layer has two parameters and two statistics, (C) each, and every
 * one of them goes through the same few operators on its way to its new value: a step of ResNet-110 has two thousand such
 * nodes, whose cost is not their arithmetic. Here each operator runs once, on the concatenation of all vectors, which is then
 * split. The operators are element-wise, so the results are the same to the bit.
 */
import { sizeOf } from '../../formats/ndarray';
import type { Graph, Node } from '../graph';
import { rewrite, type Replacement, type Rewriter } from '../onnx/rewrite';
import type { Tensor } from '../tensor';

const BY_ELEMENT = new Set(['Add', 'Sub', 'Mul', 'Div', 'Sqrt', 'Neg', 'Abs', 'Min', 'Max', 'Where']);

/** The same graph with the updates of vectors fused; nodes that take part in no fusion stay as they are. */
export function fuseHorizontally(source: Graph): Graph {
  const { updating, telling } = lateNodes(source);
  const late = new Set([...updating, ...telling]);
  const groups = fusionGroupsOf(updating);
  let vectors: FusedVectors | undefined;
  return rewrite(source, (node, rewriter) => {
    if (!late.has(node)) return undefined;
    const [output] = node.outputs as [Tensor];
    vectors ??= new FusedVectors(groups, rewriter);
    const { part } = vectors;
    return groups.has(output) ? [() => part(output)] : copyWhenAsked(node, rewriter);
  });
}

/**
 * The nodes that can run after all others, in their order: `updating` are element-wise on vectors and lead only to new states
 * and to what is reported of them, `telling` lead only to outputs.
 */
function lateNodes(graph: Graph): { updating: Node[]; telling: Node[] } {
  const telling: Node[] = [];
  const updating: Node[] = [];
  const states = new Set<Tensor | undefined>(graph.updates.values());
  const early = new Set<Tensor | undefined>();
  for (const node of graph.nodes.toReversed()) {
    const { outputs, inputs } = node;
    if (outputs.every((output) => !early.has(output) && !states.has(output))) {
      telling.push(node);
    } else if (isByElement(node) && !early.has(outputs[0])) {
      updating.push(node);
      for (const input of inputs) states.add(input);
    } else {
      for (const input of inputs) early.add(input);
    }
  }
  return { updating: updating.reverse(), telling };
}

/** Whether a node is element-wise and computes a vector from vectors of its length and scalars. */
function isByElement({ opType, inputs, outputs }: Node): boolean {
  const [output, ...others] = outputs as [Tensor];
  const isVector = others.length === 0 && output.shape.length === 1 && output.dtype === 'float32';
  const fits = (input: Tensor | undefined) => input && (isVectorOperand(input, output) || sizeOf(input.shape) === 1);
  return BY_ELEMENT.has(opType) && isVector && inputs.every(fits);
}

/** Copies a node as it is, but only when one of its outputs is first read. */
function copyWhenAsked(node: Node, rewriter: Rewriter): Replacement[] {
  let copies: Tensor[] | undefined;
  return node.outputs.map((_, i) => () => (copies ??= rewriter.copy(node))[i]!);
}

/** Nodes that apply the same operator, with the same scalars, to different vectors. */
type FusionGroup = readonly Node[];

/** The group of each vector that is computed in one. */
function fusionGroupsOf(updating: readonly Node[]): Map<Tensor, FusionGroup> {
  const numbers = new Map<unknown, number>();
  const numberOf = (key: unknown) => numbers.get(key) ?? numbers.set(key, numbers.size).get(key)!;
  /** A number for the operators that a vector went through; none for vectors that other nodes compute. */
  const histories = new Map<Tensor, number>();
  const alike = new Map<number, Node[]>();
  for (const node of updating) {
    const { opType, attributes, inputs, outputs } = node;
    const [output] = outputs as [Tensor];
    const operands = inputs.map((input) =>
      isVectorOperand(input!, output) ? ['vector', histories.get(input!)] : ['number', numberOf(input)],
    );
    const history = numberOf(JSON.stringify([opType, attributes, operands]));
    histories.set(output, history);
    alike.set(history, [...(alike.get(history) ?? []), node]);
  }
  const groups = [...alike.values()].filter((nodes) => nodes.length > 1);
  return new Map(groups.flatMap((group) => group.map((node) => [node.outputs[0]!, group])));
}

/** Whether an operand is a vector as long as the result, rather than a scalar that is broadcast. */
function isVectorOperand(operand: Tensor, { shape }: Tensor): boolean {
  return operand.shape.length === 1 && operand.shape[0] === shape[0] && operand.dtype === 'float32';
}

/** The results of fusion groups: concatenated, and each vector by itself. */
class FusedVectors {
  private readonly results = new Map<FusionGroup, Tensor>();
  private readonly parts = new Map<Tensor, Tensor>();
  /** Concatenated operands, by the names of their vectors. */
  private readonly rows = new Map<string, Tensor>();

  constructor(
    private readonly groups: ReadonlyMap<Tensor, FusionGroup>,
    private readonly rewriter: Rewriter,
  ) {}

  /** A vector that one of the groups computes, split from the group's result. */
  readonly part = (vector: Tensor): Tensor => {
    const known = this.parts.get(vector);
    if (known) return known;
    const group = this.groups.get(vector)!;
    const vectors = group.map(({ outputs }) => outputs[0]!);
    const whole = this.result(group);
    const parts = this.emitted((target) => {
      const sizes = target.integers(vectors.map(({ shape }) => shape[0]!));
      return target.emitMany('Split', [whole, sizes], vectors, { attributes: { axis: 0 } });
    });
    vectors.forEach((one, i) => this.parts.set(one, parts[i]!));
    return this.parts.get(vector)!;
  };

  /** The concatenated result of a group. */
  private result(group: FusionGroup): Tensor {
    const known = this.results.get(group);
    if (known) return known;
    const [{ opType, attributes, inputs, outputs }] = group as [Node];
    const operands = inputs.map((input, i) =>
      isVectorOperand(input!, outputs[0]!)
        ? this.row(group.map((node) => node.inputs[i]!))
        : this.rewriter.lookup(input!),
    );
    const length = group.reduce((sum, node) => sum + sizeOf(node.outputs[0]!.shape), 0);
    const result = this.emitted((target) => target.emit(opType, operands, [length], { dtype: 'float32', attributes }));
    this.results.set(group, result);
    return result;
  }

  /** Vectors, concatenated. */
  private row(vectors: readonly Tensor[]): Tensor {
    const group = this.groups.get(vectors[0]!);
    if (group?.length === vectors.length && group.every(({ outputs }, i) => outputs[0] === vectors[i])) {
      return this.result(group);
    }
    const key = vectors.map(({ name }) => name).join(' ');
    const known = this.rows.get(key);
    if (known) return known;
    const length = vectors.reduce((sum, { shape }) => sum + shape[0]!, 0);
    const operands = vectors.map((vector) => this.rewriter.lookup(vector));
    const row = this.emitted((target) => target.emit('Concat', operands, [length], { attributes: { axis: 0 } }));
    this.rows.set(key, row);
    return row;
  }

  /** What `emit` returns, in a scope of its own, as it belongs to no layer. */
  private emitted<T>(emit: (target: Graph) => T): T {
    const { target } = this.rewriter;
    return target.unscoped(() => target.scope('update/(vectors)', () => emit(target)));
  }
}

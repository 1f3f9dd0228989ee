/**
 * Updates of vectors, made together. Normalization has two parameters and two statistics by layer, each of some channels,
 * and each goes through the same few operators on its way to its new value: a step of ResNet-110 has two thousand such
 * nodes, whose cost is not their arithmetic. Here each operator runs once, on all vectors end to end, which are then taken
 * apart. As it works by element, the results are the same to the bit.
 */
import { sizeOf } from '../../formats/ndarray';
import type { Graph, Node } from '../graph';
import { rewrite, type Replacement, type Rewriter } from '../onnx/rewrite';
import type { Tensor } from '../tensor';

const BY_ELEMENT = new Set(['Add', 'Sub', 'Mul', 'Div', 'Sqrt', 'Neg', 'Abs', 'Min', 'Max', 'Where']);

/** The same graph with the updates of vectors joined. */
export function fuseHorizontally(source: Graph): Graph {
  const { updating, telling } = lateNodes(source);
  const late = new Set([...updating, ...telling]);
  const joints = jointsOf(updating);
  let vectors: Vectors | undefined;
  return rewrite(source, (node, rewriter) => {
    if (!late.has(node)) return undefined;
    const [output] = node.outputs as [Tensor];
    vectors ??= new Vectors(joints, rewriter);
    const { part } = vectors;
    return joints.has(output) ? [() => part(output)] : copiedLater(node, rewriter);
  });
}

/**
 * The nodes that can run after all others: those that work on vectors by element and from which nothing but new states and
 * what is told of them comes, in their order, and those from which nothing but outputs come.
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

/** Does a node make a vector of vectors of that length and single numbers? */
function isByElement({ opType, inputs, outputs }: Node): boolean {
  const [output, ...others] = outputs as [Tensor];
  const isVector = others.length === 0 && output.shape.length === 1 && output.dtype === 'float32';
  const fits = (input: Tensor | undefined) => input && (isPart(input, output) || sizeOf(input.shape) === 1);
  return BY_ELEMENT.has(opType) && isVector && inputs.every(fits);
}

/** A node as it is, once something asks for what it makes. */
function copiedLater(node: Node, rewriter: Rewriter): Replacement[] {
  let copies: Tensor[] | undefined;
  return node.outputs.map((_, i) => () => (copies ??= rewriter.copy(node))[i]!);
}

/** Nodes that do the same with different vectors. */
type Joint = readonly Node[];

/** The joints of nodes by the vectors that they make. */
function jointsOf(updating: readonly Node[]): Map<Tensor, Joint> {
  const numbers = new Map<unknown, number>();
  const numberOf = (key: unknown) => numbers.get(key) ?? numbers.set(key, numbers.size).get(key)!;
  /** By what vectors were made; none for those that other nodes make. */
  const histories = new Map<Tensor, number>();
  const alike = new Map<number, Node[]>();
  for (const node of updating) {
    const { opType, attributes, inputs, outputs } = node;
    const [output] = outputs as [Tensor];
    const operands = inputs.map((input) =>
      isPart(input!, output) ? ['vector', histories.get(input!)] : ['number', numberOf(input)],
    );
    const history = numberOf(JSON.stringify([opType, attributes, operands]));
    histories.set(output, history);
    alike.set(history, [...(alike.get(history) ?? []), node]);
  }
  const joints = [...alike.values()].filter((nodes) => nodes.length > 1);
  return new Map(joints.flatMap((joint) => joint.map((node) => [node.outputs[0]!, joint])));
}

/** Is an operand as long as the result, and not the same number for all of it? */
function isPart(operand: Tensor, { shape }: Tensor): boolean {
  return operand.shape.length === 1 && operand.shape[0] === shape[0] && operand.dtype === 'float32';
}

/** What joints make: vectors end to end, and each by itself. */
class Vectors {
  private readonly results = new Map<Joint, Tensor>();
  private readonly parts = new Map<Tensor, Tensor>();
  /** Vectors that were put end to end, by their names. */
  private readonly rows = new Map<string, Tensor>();

  constructor(
    private readonly joints: ReadonlyMap<Tensor, Joint>,
    private readonly rewriter: Rewriter,
  ) {}

  /** A vector that one of the joints makes. */
  readonly part = (vector: Tensor): Tensor => {
    const known = this.parts.get(vector);
    if (known) return known;
    const joint = this.joints.get(vector)!;
    const vectors = joint.map(({ outputs }) => outputs[0]!);
    const whole = this.result(joint);
    const parts = this.emitted((target) => {
      const sizes = target.integers(vectors.map(({ shape }) => shape[0]!));
      return target.emitMany('Split', [whole, sizes], vectors, { attributes: { axis: 0 } });
    });
    vectors.forEach((one, i) => this.parts.set(one, parts[i]!));
    return this.parts.get(vector)!;
  };

  /** All that a joint makes, end to end. */
  private result(joint: Joint): Tensor {
    const known = this.results.get(joint);
    if (known) return known;
    const [{ opType, attributes, inputs, outputs }] = joint as [Node];
    const operands = inputs.map((input, i) =>
      isPart(input!, outputs[0]!) ? this.row(joint.map((node) => node.inputs[i]!)) : this.rewriter.lookup(input!),
    );
    const length = joint.reduce((sum, node) => sum + sizeOf(node.outputs[0]!.shape), 0);
    const result = this.emitted((target) => target.emit(opType, operands, [length], { dtype: 'float32', attributes }));
    this.results.set(joint, result);
    return result;
  }

  /** Vectors end to end. */
  private row(vectors: readonly Tensor[]): Tensor {
    const joint = this.joints.get(vectors[0]!);
    if (joint?.length === vectors.length && joint.every(({ outputs }, i) => outputs[0] === vectors[i])) {
      return this.result(joint);
    }
    const key = vectors.map(({ name }) => name).join(' ');
    const known = this.rows.get(key);
    if (known) return known;
    const length = vectors.reduce((sum, { shape }) => sum + shape[0]!, 0);
    const images = vectors.map((vector) => this.rewriter.lookup(vector));
    const row = this.emitted((target) => target.emit('Concat', images, [length], { attributes: { axis: 0 } }));
    this.rows.set(key, row);
    return row;
  }

  /** What `emit` makes, in a scope of its own: it belongs to no layer. */
  private emitted<T>(emit: (target: Graph) => T): T {
    const { target } = this.rewriter;
    return target.unscoped(() => target.scope('update/(vectors)', () => emit(target)));
  }
}

/**
 * A network of others, read from an ONNX file into a graph of this engine, where it can be trained: its weights become
 * parameters under their names, BatchNorm normalizes by the batch in training, and what follows from the sizes of the
 * images alone is computed when it is read.
 */
import { quoted, readBytes, FormatError } from '../../../formats/binary';
import { ndarray } from '../../../formats/ndarray';
import { messageOf, UserError } from '../../../utils/errors';
import { Graph } from '../../graph';
import { formatShape, type Tensor } from '../../tensor';
import { ancestors } from '../nodes';
import type { OnnxValue } from '../read';
import {
  Call,
  constantOf,
  isKnown,
  isStored,
  type Layers,
  type Role,
  type Stored,
  type Surroundings,
  type Value,
} from './call';
import { evaluateKnown } from './known';
import { arrayOf, type Literal } from './literal';
import type { ProgramNode } from './node';
import { operatorOf } from './operators/index';
import { readProgram, type Program, type Weight } from './program';
import { isFoldable, named, refusalOf } from './refusals';

/** A value inside of a network that a method may look at, and the layer that makes it. */
interface Inner {
  readonly name: string;
  readonly node: ProgramNode;
  readonly tensor: Tensor;
}

/** A network in a graph. */
export interface Built {
  readonly logits: Tensor;
  /** The name of the output. */
  readonly output: string;
  /** Values of float32 by their names, in the order in which they are computed. */
  readonly inner: ReadonlyMap<string, Inner>;
}

/** Names that exporters give to what they make themselves. */
const NAMED_BY_EXPORTER = /^(val_\d+|onnx::.*|_.*|\/.*|.*[Cc]onstant.*)$/;
/** What is added to the scores of attention so that they count nothing is below. */
const MASKED = -50;

/** A network of others. Its file is read once, and built as often as it is needed. */
export class ForeignNetwork {
  private readonly nodes: readonly ProgramNode[];
  private readonly stored: ReadonlyMap<string, Value>;

  constructor(private readonly program: Program) {
    const { nodes, outputs, path } = program;
    const [output] = outputs;
    if (!output) throw new UserError(`${path}: has no output`);
    const needed = ancestors({ nodes }, [output.name]);
    this.nodes = nodes.filter((_, number) => needed.has(number));
    const refused = this.nodes
      .map((node) => [node, refusalOf(node)] as const)
      .find(([node, why]) => why && !isFoldable(node));
    if (refused) throw new UserError(`${path}: ${named(refused[0])} ${refused[1]}`);
    this.stored = storedValues(program, this.nodes);
  }

  /**
   * Reads a file as a network that computes the value `output`, by default its first output. A UserError of one line tells what is
   * damaged or cannot be trained.
   */
  static read(path: string, output?: Pick<OnnxValue, 'name' | 'dtype'>): ForeignNetwork {
    const program = readProgram(readBytes(path), path);
    return new ForeignNetwork(output ? { ...program, outputs: [{ ...output, shape: undefined }] } : program);
  }

  get path(): string {
    return this.program.path;
  }

  get input(): Program['inputs'][number] {
    const { inputs, path } = this.program;
    if (inputs.length !== 1) {
      const names = inputs.map(({ name }) => quoted(name)).join(', ');
      throw new UserError(`${path}: has ${names || 'nothing'} as inputs, accepted is one input of images`);
    }
    return inputs[0]!;
  }

  /** Nodes that the logits depend on. */
  get operators(): readonly ProgramNode[] {
    return this.nodes;
  }

  /** Images at a time, where the file fixes it. */
  get fixedBatch(): number | undefined {
    const [batch] = this.input.shape ?? [];
    return typeof batch === 'number' ? batch : undefined;
  }

  /** What a person should know before the network is trained. */
  get remarks(): string[] {
    return [...foldedNorms(this.nodes, this.stored), ...sharedParameters(this.nodes, this.stored)];
  }

  /** Builds the network on images (N, …) as its input takes them. A UserError names the node that cannot be. */
  build(layers: Layers, images: Tensor): Built {
    const more = layers.isTraining ? undefined : this.shapesOfMore(images);
    return this.compute(layers, images, (name) => more?.get(name));
  }

  /** The shape of each value where one image more is fed. */
  private shapesOfMore({ shape: [batch = 1, ...size] }: Tensor): ReadonlyMap<string, readonly number[]> {
    const graph = new Graph();
    const images = graph.input('images', 'float32', [batch + 1, ...size]);
    const shapes = new Map<string, readonly number[]>();
    this.compute(
      scratchLayers(graph),
      images,
      () => undefined,
      (name, value) => void shapes.set(name, value.shape),
    );
    return shapes;
  }

  private compute(
    layers: Layers,
    images: Tensor,
    shapeOfMore: Surroundings['shapeOfMore'],
    made: (name: string, value: Tensor) => void = (name, value) => layers.made?.(name, value),
  ): Built {
    const { path, outputs, opset } = this.program;
    const values = new Map<string, Value>([...this.stored, [this.input.name, images]]);
    const tensors = new Map<string, Tensor>();
    const { graph } = layers;
    const tensorOf = (value: Value, role: Role): Tensor => {
      if (isKnown(value)) return constantOf(graph, value.known);
      if (!isStored(value)) return value;
      const known = tensors.get(value.name) ?? layers.parameter(value.name, value.stored, role);
      tensors.set(value.name, known);
      return known;
    };
    const around = { layers, opset, images, fixedBatch: this.fixedBatch, shapeOfMore, tensorOf };
    const inner = new Map<string, Inner>();
    for (const node of this.nodes) {
      if (node.outputs.every((name) => this.stored.has(name))) continue;
      const results = this.results(node, values, around);
      node.outputs.forEach((name, i) => {
        const value = results[i];
        if (name === '' || !value) return;
        values.set(name, value);
        if (isKnown(value) || isStored(value)) return;
        made(name, value);
        if (value.dtype === 'float32') inner.set(name, { name, node, tensor: value });
      });
    }
    const [output] = outputs;
    const logits = values.get(output!.name);
    if (!logits || isKnown(logits) || isStored(logits) || !graphHas(logits, images)) {
      throw new UserError(`${path}: its output ${quoted(output!.name)} does not depend on images`);
    }
    return { logits, output: output!.name, inner };
  }

  private results(node: ProgramNode, values: ReadonlyMap<string, Value>, around: Surroundings): readonly Value[] {
    const { path, opset } = this.program;
    try {
      const inputs = node.inputs.map((name) => {
        if (name === '') return undefined;
        return values.get(name) ?? fail(`reads ${quoted(name)}, which nothing makes before`);
      });
      const known = inputs.map((value) => (isKnown(value) ? value.known : undefined));
      const isWhole = inputs.every((value, i) => value === undefined || known[i] !== undefined);
      const folded = isWhole ? evaluateKnown(known, node, opset) : evaluateLike(node, inputs);
      if (folded) return folded.map((literal) => ({ known: literal }));
      const operator = operatorOf(node.domain, node.opType);
      if (!operator) return fail(refusalOf(node) ?? 'has no gradient here');
      const shared = node.outputs.map((name) => around.layers.shared?.(name));
      if (shared.every((value) => value !== undefined)) return shared;
      const build = () => operator(new Call(node, inputs, around));
      const result = around.layers.graph.scope(scopeOf(node), build);
      return Array.isArray(result) ? (result as readonly Value[]) : [result as Value];
    } catch (error) {
      if (error instanceof UserError) throw error;
      if (error instanceof FormatError || error instanceof Error) {
        throw new UserError(`${path}: ${named(node)}: ${messageOf(error)}`);
      }
      throw error;
    }
  }
}

function fail(why: string): never {
  throw new Error(why);
}

/** A constant cast to the type of what depends on images, which is a floating-point one. */
function evaluateLike(
  { opType, domain }: ProgramNode,
  [x, like]: readonly (Value | undefined)[],
): readonly Literal[] | undefined {
  if (opType !== 'CastLike' || domain !== '' || !isKnown(x) || !like) return undefined;
  return [{ ...x.known, kind: 'float' }];
}

function scopeOf({ name, outputs }: ProgramNode): string {
  return (name || outputs[0] || 'node').replace(/^\/+/, '');
}

function graphHas(tensor: Tensor, images: Tensor): boolean {
  return tensor.graph === images.graph;
}

/**
 * The file's initializers. The TorchScript-based exporter writes equal ones once where a network is exported in evaluation
 * mode, and hands the others on by Identity under their own names: each is a parameter of its own here.
 */
function storedValues({ weights, producer }: Program, nodes: readonly ProgramNode[]): ReadonlyMap<string, Value> {
  const isOfPytorch = /^pytorch/i.test(producer);
  const values = new Map<string, Value>(
    [...weights].map(([name, weight]) => [name, storedValue(name, weight, isOfPytorch)]),
  );
  for (const name of isOfPytorch ? [] : statisticsIn(nodes, values)) {
    const value = values.get(name);
    if (isStored(value)) values.set(name, { known: value.stored, name });
  }
  for (const { opType, domain, inputs, outputs } of nodes) {
    const [from = '', to = ''] = [inputs[0], outputs[0]];
    const value = values.get(from);
    if (opType !== 'Identity' || domain !== '' || !value || NAMED_BY_EXPORTER.test(to)) continue;
    values.set(to, { ...value, name: to });
  }
  return values;
}

/**
 * What an initializer is: a parameter, or a value that no gradient flows into. Other exporters than PyTorch's keep the numbers
 * of a network, such as a bound or an epsilon, as initializers without axes.
 */
function storedValue(name: string, { literal, kind }: Weight, isOfPytorch: boolean): Value {
  const isNumber = isOfPytorch ? literal.data.length === 1 && NAMED_BY_EXPORTER.test(name) : literal.shape.length === 0;
  const isOfExporter = kind === undefined && isNumber;
  const isParameter =
    kind === undefined ? literal.kind === 'float' && !isOfExporter && !isMask(literal) : kind === 'PARAMETER';
  return isParameter && literal.kind === 'float' ? { stored: literal, name } : { known: literal, name };
}

/** Operators that hand the values of a variance on, with an epsilon at most. */
const CARRIES = ['Add', 'Reshape', 'Unsqueeze', 'Squeeze', 'Cast', 'Max'];

/**
 * The statistics of BatchNorms that an exporter wrote as arithmetic, as jax2onnx does: x / √(var + ε) and so on, where the mean
 * is negated. A variance is what a square root sees; neither depends on images.
 */
function statisticsIn(nodes: readonly ProgramNode[], values: ReadonlyMap<string, Value>): string[] {
  const origins = new Map<string, string>();
  const seen = { Sqrt: [] as string[], Neg: [] as string[] };
  for (const { opType, inputs, outputs } of nodes) {
    const own = inputs.filter((name) => !isKnown(values.get(name)));
    const found = own.map((name) => (isStored(values.get(name)) ? name : origins.get(name)));
    const [origin] = found;
    if (origin === undefined || found.includes(undefined)) continue;
    if (opType === 'Sqrt' || opType === 'Neg') seen[opType].push(origin);
    else if (CARRIES.includes(opType)) for (const output of outputs) origins.set(output, origin);
  }
  const lengthOf = (name: string) => {
    const value = values.get(name);
    return isStored(value) ? value.stored.data.length : 0;
  };
  const lengths = new Set(seen.Sqrt.map(lengthOf));
  return [...seen.Sqrt, ...seen.Neg.filter((name) => lengths.has(lengthOf(name)))];
}

/** Does it take scores of attention out, and nothing else? */
function isMask({ data }: Literal): boolean {
  return (
    data.includes(0) && data.some((value) => value <= MASKED) && data.every((value) => value === 0 || value <= MASKED)
  );
}

/** The parameter of a name. */
function parametersOf(stored: ReadonlyMap<string, Value>): (name: string) => Stored | undefined {
  return (name) => {
    const value = stored.get(name);
    return isStored(value) ? value : undefined;
  };
}

function foldedNorms(nodes: readonly ProgramNode[], stored: ReadonlyMap<string, Value>): string[] {
  const parameterOf = parametersOf(stored);
  const isBiased = ({ opType, inputs }: ProgramNode) => opType === 'Conv' && parameterOf(inputs[2] ?? '') !== undefined;
  const convolutions = nodes.filter(isBiased).length;
  const hasNorm = nodes.some(({ opType }) => /Normalization$/.test(opType));
  if (hasNorm || convolutions < 4) return [];
  return [
    `has ${convolutions} convolutions with biases and no normalization, as exporters leave it where they fold BatchNorm ` +
      'away: it trains, but without BatchNorm; to keep it, export with do_constant_folding=False and ' +
      'training=TrainingMode.PRESERVE, or with dynamo=True and optimize=False',
  ];
}

/** Different layers that read one parameter: tied on purpose, or merged by an exporter because they were equal. */
function sharedParameters(nodes: readonly ProgramNode[], stored: ReadonlyMap<string, Value>): string[] {
  const parameterOf = parametersOf(stored);
  const readers = new Map<string, number>();
  for (const { opType, inputs } of nodes) {
    if (opType === 'Identity' || opType === 'Shape') continue;
    for (const name of new Set(inputs.map((input) => parameterOf(input)?.name))) {
      if (name !== undefined) readers.set(name, (readers.get(name) ?? 0) + 1);
    }
  }
  const shared = [...readers].filter(([, count]) => count > 1).map(([name]) => name);
  if (shared.length === 0) return [];
  const [first] = shared;
  return [
    `several layers share ${shared.length === 1 ? 'the parameter' : `${shared.length} parameters, such as`} ${quoted(first!)} ` +
      'and train it together: exporters merge equal ones, as those of a network that was not trained; PyTorch does not with ' +
      'dynamo=True and optimize=False',
  ];
}

/** Layers of a graph that is only looked at. */
function scratchLayers(graph: Graph): Layers {
  return {
    graph,
    isTraining: false,
    parameter: (name, value) => graph.parameter(name, value.shape, () => arrayOf(value)),
    batchNorm: (x) => {
      if (x.shape.length < 2) throw new Error(`takes (N, C, …), got ${formatShape(x.shape)}`);
      const zeros = graph.constant(ndarray('float32', [x.shape[1]!]));
      return graph.emit('BatchNormalization', [x, zeros, zeros, zeros, zeros], x.shape);
    },
    dropout: (_, x) => x,
  };
}

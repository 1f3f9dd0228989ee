/** A node of a foreign model that is being built into a graph: its inputs, attributes, and what it may ask for. */
import { quoted } from '../../../formats/binary';
import { sizeOf, type NdArray } from '../../../formats/ndarray';
import type { Graph } from '../../graph';
import { sumTo } from '../../ops/elementwise';
import { expand, reshape } from '../../ops/index';
import { sameShape, type Tensor } from '../../tensor';
import { arrayOf, type Literal } from './literal';
import { fromStart } from './moves';
import type { AttributeValue, ProgramNode } from './node';

/** What a parameter is for, by which it starts where its values are not taken from the file. */
export type Role =
  { readonly of: 'weight' | 'bias'; readonly fanIn: number } | { readonly of: 'scale' | 'shift' | 'other' };

/** Known before anything is computed; of the file's initializer `name`, if it is one. */
export interface Known {
  readonly known: Literal;
  readonly name?: string;
}

/** A parameter that no node has asked for yet. */
export interface Stored {
  readonly stored: Literal;
  readonly name: string;
}

/** What a node reads or makes. */
export type Value = Tensor | Known | Stored;

/** Is it known before anything is computed? */
export const isKnown = (value: Value | undefined): value is Known => value !== undefined && 'known' in value;
/** Is it a parameter of the file? */
export const isStored = (value: Value | undefined): value is Stored => value !== undefined && 'stored' in value;

/** The names of a BatchNorm's states and their values in the file. */
export interface NormStates {
  readonly weight: Stored | Known;
  readonly bias: Stored | Known;
  readonly mean: Required<Known> | Stored;
  readonly variance: Required<Known> | Stored;
}

/** What makes the states of a network: they are those of a student, of a teacher, or of a second pass. */
export interface Layers {
  readonly graph: Graph;
  readonly isTraining: boolean;
  parameter(name: string, value: Literal, role: Role): Tensor;
  batchNorm(x: Tensor, states: NormStates, options: { readonly eps: number; readonly momentum: number }): Tensor;
  dropout(name: string, x: Tensor, rate: number): Tensor;
  /** What another pass made of a value: it stands for the node that makes it. */
  shared?(name: string): Tensor | undefined;
  /** Is told of each value. */
  made?(name: string, value: Tensor): void;
}

/** What a node may ask of the network around it. */
export interface Surroundings {
  readonly layers: Layers;
  readonly opset: number;
  readonly images: Tensor;
  /** Images at a time, where the file fixes it. */
  readonly fixedBatch: number | undefined;
  /** The shape of a value where one image more is fed; undefined while that is being found out. */
  shapeOfMore(name: string): readonly number[] | undefined;
  tensorOf(value: Value, role: Role): Tensor;
}

const OTHER: Role = { of: 'other' };

/** Why a node cannot be built, without the node. */
class Unsupported extends Error {}

/** A node with its inputs. */
export class Call {
  constructor(
    readonly node: ProgramNode,
    readonly inputs: readonly (Value | undefined)[],
    readonly around: Surroundings,
  ) {}

  get graph(): Graph {
    return this.around.layers.graph;
  }

  has(i: number): boolean {
    return this.inputs[i] !== undefined;
  }

  value(i: number): Value {
    return this.inputs[i] ?? this.fail(`lacks its input ${i + 1}`);
  }

  /** An input as a tensor of the graph, whatever it is. */
  tensor(i: number, role: Role = OTHER): Tensor {
    return this.around.tensorOf(this.value(i), role);
  }

  optional(i: number, role: Role = OTHER): Tensor | undefined {
    return this.has(i) ? this.tensor(i, role) : undefined;
  }

  shape(i: number): readonly number[] {
    return shapeOf(this.value(i));
  }

  /** The elements of an input that must be known. */
  numbers(i: number): number[] | undefined {
    const value = this.inputs[i];
    if (value === undefined) return undefined;
    const known = this.known(i) ?? this.fail(`has an input ${i + 1} that depends on the images or on weights`);
    return Array.from(known.data);
  }

  /** An input if it is known. */
  known(i: number): Literal | undefined {
    const value = this.inputs[i];
    return isKnown(value) ? value.known : undefined;
  }

  /** The number that an input is known to be, of one element. */
  scalar(i: number): number | undefined {
    const known = this.known(i);
    return known?.data.length === 1 ? known.data[0] : undefined;
  }

  integer(name: string, absent: number): number {
    return this.attribute(name, absent, (value) => typeof value === 'number');
  }

  float(name: string, absent: number): number {
    return this.integer(name, absent);
  }

  text(name: string, absent: string): string {
    return this.attribute(name, absent, (value) => typeof value === 'string');
  }

  integers(name: string): readonly number[] | undefined {
    const isList = (value: AttributeValue) => Array.isArray(value) && value.every((item) => typeof item === 'number');
    return this.attribute<readonly number[] | undefined>(name, undefined, isList);
  }

  /** The attribute "axis", counted from 0. */
  axis(rank: number, absent: number): number {
    const axis = fromStart(this.integer('axis', absent), rank);
    return axis >= 0 && axis < rank ? axis : this.fail(`has the axis ${axis} of ${rank} axes`);
  }

  /** How much longer the axes of the first output are where one image more is fed. */
  private growth(shape: readonly number[]): readonly number[] {
    const more = this.around.shapeOfMore(this.node.outputs[0]!);
    return shape.map((length, axis) => (more?.[axis] ?? length) - length);
  }

  /**
   * Another shape for the first output, right for as many images as there are: the axis that grows with them is left open.
   * What the file says for a fixed number of images is brought to this one.
   */
  reshape(x: Tensor, asked: readonly number[]): Tensor {
    const shape = this.rebatched(x, asked);
    const open = this.growth(shape).flatMap((growth, axis) => (growth === 0 ? [] : [axis]));
    if (open.length === 0) return reshape(x, shape);
    if (open.length > 1) this.fail('has two axes that grow with the number of images');
    return openReshape(x, shape, open[0]!);
  }

  private rebatched(x: Tensor, shape: readonly number[]): readonly number[] {
    const { fixedBatch, images } = this.around;
    const [first = 0] = shape;
    const scaled = fixedBatch ? (first * images.shape[0]!) / fixedBatch : first;
    if (sizeOf(shape) === sizeOf(x.shape) || !Number.isInteger(scaled)) return shape;
    return [scaled, ...shape.slice(1)];
  }

  /** The first input repeated to a shape that may grow with the number of images. */
  expand(shape: readonly number[]): Value {
    const growth = this.growth(shape);
    if (growth.every((step) => step === 0)) {
      return sameShape(shape, this.shape(0)) ? this.value(0) : expand(this.tensor(0), shape);
    }
    const { images } = this.around;
    if (growth.some((step, axis) => step !== 0 && shape[axis] !== step * images.shape[0]!)) {
      this.fail('has an axis that is no multiple of the number of images');
    }
    return openExpand(this.tensor(0), shape, images, growth);
  }

  fail(why: string): never {
    throw new Unsupported(why);
  }

  private attribute<T>(name: string, absent: T, isRight: (value: AttributeValue) => boolean): T {
    const value = this.node.attributes.get(name);
    if (value === undefined) return absent;
    return isRight(value) ? (value as T) : this.fail(`has the attribute ${quoted(name)} of another type`);
  }
}

/** The shape of a value, whatever it is. */
function shapeOf(value: Value): readonly number[] {
  if (isKnown(value)) return value.known.shape;
  return isStored(value) ? value.stored.shape : value.shape;
}

/** A constant of the graph. */
export function constantOf(graph: Graph, value: Literal): Tensor {
  return graph.constant(arrayOf(value) satisfies NdArray);
}

/** A Reshape whose axis `open` takes what is left. */
function openReshape(x: Tensor, shape: readonly number[], open: number): Tensor {
  const { graph } = x;
  const target = graph.integers(shape.map((length, axis) => (axis === open ? -1 : length)));
  const y = graph.emit('Reshape', [x, target], shape);
  return graph.vjp(y, [x], (grad) => [graph.emit('Reshape', [grad, graph.integers(x.shape)], x.shape)]);
}

/** An Expand whose lengths are those of `shape`, or as many times the number of images as `growth` says. */
function openExpand(x: Tensor, shape: readonly number[], images: Tensor, growth: readonly number[]): Tensor {
  const { graph } = x;
  const batch = graph.emit('Shape', [images], [1], { dtype: 'int64', attributes: { start: 0, end: 1 } });
  const lengths = shape.map((length, axis) => {
    const step = growth[axis]!;
    if (step === 0) return graph.integers([length]);
    return step === 1 ? batch : graph.emit('Mul', [batch, graph.integers([step])], [1]);
  });
  const target = graph.emit('Concat', lengths, [lengths.length], { attributes: { axis: 0 } });
  return graph.vjp(graph.emit('Expand', [x, target], shape), [x], (grad) => [sumTo(grad, x.shape)]);
}

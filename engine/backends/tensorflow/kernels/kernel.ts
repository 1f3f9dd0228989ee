/** What computes a node with TensorFlow.js, and how it reads the node. */
import type { Attribute, Node } from '../../../graph';
import type { Tensor, Tf } from '../package';
import { Value } from '../value';

/** A node that is to be computed. */
export interface Call {
  readonly tf: Tf;
  readonly node: Node;
  /** Values of the inputs; undefined for an omitted one. */
  readonly inputs: readonly (Value | undefined)[];
  /** The elements of an input that is a constant, as axes, shapes and amounts are; undefined for an omitted one. */
  numbers(index: number): number[] | undefined;
}

/** Makes the node's output. Shapes are those of the values, as a graph may be run on batches of any size. */
export type Kernel = (call: Call) => Value;

/** Kernels by ONNX's name of the operator. */
export type Kernels = Readonly<Record<string, Kernel>>;

/** The value of an input that is never omitted. */
export function input({ node, inputs }: Call, index: number): Value {
  const value = inputs[index];
  if (!value) throw new Error(`tensorflow: ${node.name}: ${node.opType} has no input ${index}`);
  return value;
}

/** A value with its axes as the graph has them. */
export function plain({ tf }: Call, tensor: Tensor): Value {
  return new Value(tf, tensor);
}

/** An attribute that is a whole number. */
export function integer({ attributes }: Node, name: string, absent: number): number {
  return (attributes[name] as number | undefined) ?? absent;
}

/** An attribute that is a list of whole numbers. */
export function integers({ attributes }: Node, name: string, absent: readonly number[]): readonly number[] {
  return (attributes[name] as readonly number[] | undefined) ?? absent;
}

/** An attribute that is a number with a fraction. */
export function float({ attributes }: Node, name: string, absent: number): number {
  return (attributes[name] as Extract<Attribute, { float: number }> | undefined)?.float ?? absent;
}

/** An axis counted from 0, of one that may be counted from the end. */
export function fromStart(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

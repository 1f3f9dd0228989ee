/**
 * The interface of kernels, which compute a node with TensorFlow.js, and helpers to read a node's inputs and
 * attributes.
 */
import type { Attribute, Node } from '../../../graph';
import type { Tensor, Tf } from '../package';
import { Value } from '../value';

/** A node to compute. */
export interface Call {
  readonly tf: Tf;
  readonly node: Node;
  /** Values of the inputs; undefined for an omitted one. */
  readonly inputs: readonly (Value | undefined)[];
  /** The elements of a constant input, such as axes or a shape; undefined if it is omitted. Throws if it is not constant. */
  numbers(index: number): number[] | undefined;
}

/** Computes the output of a node. Shapes are taken from the values, as a graph may run on any batch size. */
export type Kernel = (call: Call) => Value;

/** Kernels by ONNX's name of the operator. */
export type Kernels = Readonly<Record<string, Kernel>>;

/** The value of an input that must be there; throws if it is omitted. */
export function input({ node, inputs }: Call, index: number): Value {
  const value = inputs[index];
  if (!value) throw new Error(`tensorflow: ${node.name}: ${node.opType} has no input ${index}`);
  return value;
}

/** A tensor with its axes in the graph's order, as a value. */
export function plain({ tf }: Call, tensor: Tensor): Value {
  return new Value(tf, tensor);
}

/** An integer attribute, `absent` by default. */
export function integer({ attributes }: Node, name: string, absent: number): number {
  return (attributes[name] as number | undefined) ?? absent;
}

/** An attribute that is a list of integers, `absent` by default. */
export function integers({ attributes }: Node, name: string, absent: readonly number[]): readonly number[] {
  return (attributes[name] as readonly number[] | undefined) ?? absent;
}

/** A float attribute, `absent` by default. */
export function float({ attributes }: Node, name: string, absent: number): number {
  return (attributes[name] as Extract<Attribute, { float: number }> | undefined)?.float ?? absent;
}

/** An axis counted from 0, given one that may be negative: counted from the end. */
export function fromStart(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

/** Known values moved, cut and repeated, and the shapes that ONNX's operators make of others. */
import { sizeOf } from '../../../formats/ndarray';
import { integersLiteral, literal, stridesOf, type Literal } from './literal';
import type { ProgramNode } from './node';

/** No known value may have more elements: 64 MB of float32. */
const MAX_ELEMENTS = 2 ** 24;

/** Repeated to a shape, as NumPy broadcasts. */
export function broadcast(x: Literal, shape: readonly number[]): Literal {
  if (x.shape.join() === shape.join()) return x;
  limited(shape);
  const lead = shape.length - x.shape.length;
  const strides = stridesOf(x.shape).map((stride, axis) => (x.shape[axis] === 1 ? 0 : stride));
  return mapped(x, shape, (place) => strides.reduce((sum, stride, axis) => sum + stride * place[axis + lead]!, 0));
}

/** Of the elements that `from` says for each place. */
function mapped(x: Literal, shape: readonly number[], from: (place: readonly number[]) => number): Literal {
  const strides = stridesOf(limited(shape));
  const data = new Float64Array(sizeOf(shape));
  const place = shape.map(() => 0);
  for (let i = 0; i < data.length; i++) {
    for (let axis = 0; axis < shape.length; axis++) place[axis] = Math.floor(i / strides[axis]!) % shape[axis]!;
    data[i] = x.data[from(place)]!;
  }
  return literal(x.kind, shape, data);
}

/** Axes in another order. */
export function transposed(x: Literal, order: readonly number[]): Literal {
  const strides = stridesOf(x.shape);
  const shape = order.map((axis) => x.shape[axis]!);
  return mapped(x, shape, (place) => order.reduce((sum, axis, i) => sum + strides[axis]! * place[i]!, 0));
}

/** The elements at these places of an axis. */
export function takeRange(x: Literal, axis: number, places: readonly number[]): Literal {
  const strides = stridesOf(x.shape);
  const shape = x.shape.map((length, i) => (i === axis ? places.length : length));
  return mapped(x, shape, (place) =>
    strides.reduce((sum, stride, i) => sum + stride * (i === axis ? places[place[i]!]! : place[i]!), 0),
  );
}

/** The slices at constant places of an axis, as Gather takes them. */
export function gathered(x: Literal, indices: Literal, axis: number): Literal {
  const length = x.shape[axis]!;
  const places = Array.from(indices.data, (index) => fromStart(index, length));
  if (places.some((place) => !(place >= 0 && place < length))) throw new Error(`an index outside of ${length}`);
  const taken = takeRange(x, axis, places);
  return { ...taken, shape: [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)] };
}

/** Joined along an axis. */
export function concatenated(parts: readonly Literal[], axis: number): Literal {
  const [first] = parts;
  const before = sizeOf(first!.shape.slice(0, axis));
  const length = parts.reduce((sum, { shape }) => sum + shape[axis]!, 0);
  const shape = limited(first!.shape.map((n, i) => (i === axis ? length : n)));
  const data = new Float64Array(sizeOf(shape));
  let at = 0;
  for (let row = 0; row < before; row++) {
    for (const part of parts) {
      const size = part.data.length / before;
      data.set(part.data.subarray(row * size, (row + 1) * size), at);
      at += size;
    }
  }
  return literal(first!.kind, shape, data);
}

/** A value before and after along an axis. */
export function padded(x: Literal, axis: number, before: number, after: number, value: number): Literal {
  const margin = (length: number) => {
    const shape = x.shape.map((n, i) => (i === axis ? length : n));
    return literal(x.kind, shape, new Float64Array(sizeOf(limited(shape))).fill(value));
  };
  return concatenated([margin(before), x, margin(after)], axis);
}

/** With what stands at some places replaced, as ScatterND does. */
export function scattered(x: Literal, indices: Literal, updates: Literal): Literal {
  const data = Float64Array.from(x.data);
  const depth = indices.shape.at(-1)!;
  const strides = stridesOf(x.shape);
  const size = sizeOf(x.shape.slice(depth));
  for (let row = 0; row < indices.data.length / depth; row++) {
    const place = strides
      .slice(0, depth)
      .reduce((sum, stride, i) => sum + stride * fromStart(indices.data[row * depth + i]!, x.shape[i]!), 0);
    for (let i = 0; i < size; i++) data[place + i] = updates.data[row * size + i]!;
  }
  return { ...x, data };
}

/** What one axis is cut to: where it begins, and the places taken. */
export interface Cut {
  readonly axis: number;
  readonly places: readonly number[];
}

/** The cuts of a Slice, whose inputs or attributes are starts, ends, axes and steps. */
export function cutsOf(
  shape: readonly number[],
  inputs: readonly (readonly number[] | undefined)[],
  { attributes }: ProgramNode,
): Cut[] {
  const of = (i: number, name: string) => inputs[i] ?? (attributes.get(name) as readonly number[] | undefined);
  const [starts, ends, axes, steps] = [of(1, 'starts')!, of(2, 'ends')!, of(3, 'axes'), inputs[4]];
  return starts.map((start, i) => {
    const axis = fromStart(axes?.[i] ?? i, shape.length);
    const [length, step] = [shape[axis]!, steps?.[i] ?? 1];
    if (step === 0 || length === undefined) throw new Error(`a slice of axis ${axis} by ${step}`);
    const clamp = (value: number, low: number, high: number) =>
      Math.min(high, Math.max(low, value < 0 ? value + length : value));
    const [from, to] =
      step > 0
        ? [clamp(start, 0, length), clamp(ends[i]!, 0, length)]
        : [clamp(start, 0, length - 1), clamp(ends[i]!, -1, length - 1)];
    const count = Math.max(0, Math.ceil((to - from) / step));
    return { axis, places: Array.from({ length: count }, (_, k) => from + k * step) };
  });
}

/** The sizes of the pieces of a Split. */
export function splitSizes(length: number, sizes: Literal | undefined, { attributes, outputs }: ProgramNode): number[] {
  const given = sizes ? Array.from(sizes.data) : (attributes.get('split') as number[] | undefined);
  if (given) return given;
  const size = Math.ceil(length / outputs.length);
  return outputs.map((_, i) => Math.max(0, Math.min(size, length - i * size)));
}

/** The shape that a Reshape asks for: 0 is the length that was there, −1 what is left. */
export function resolvedShape(
  from: readonly number[],
  asked: readonly number[],
  { attributes }: ProgramNode,
): number[] {
  const keepsZero = attributes.get('allowzero') === 1;
  const shape = asked.map((length, axis) => (length === 0 && !keepsZero ? (from[axis] ?? 0) : length));
  const rest = sizeOf(from) / sizeOf(shape.filter((length) => length !== -1));
  if (shape.includes(-1) && !Number.isInteger(rest)) {
    throw new Error(`cannot make [${shape.join(', ')}] of [${from.join(', ')}]: export it with an open batch size`);
  }
  return shape.map((length) => (length === -1 ? rest : length));
}

/** A shape without axes of length 1: these, or all. */
export function squeezed(shape: readonly number[], axes: readonly number[] | undefined): number[] {
  const gone = axes?.map((axis) => fromStart(axis, shape.length));
  return shape.filter((length, axis) => (gone ? !gone.includes(axis) : length !== 1));
}

/** A shape with these axes of length 1 more. */
export function unsqueezed(shape: readonly number[], axes: readonly number[]): number[] {
  const rank = shape.length + axes.length;
  const fresh = axes.map((axis) => fromStart(axis, rank));
  const rest = [...shape];
  return Array.from({ length: rank }, (_, axis) => (fresh.includes(axis) ? 1 : rest.shift()!));
}

/** The lengths of a shape that a Shape node asks for. */
export function shapeLiteral(shape: readonly number[], { attributes }: ProgramNode): Literal {
  const [start, end] = [attributes.get('start') ?? 0, attributes.get('end') ?? shape.length] as [number, number];
  return integersLiteral(shape.slice(start, end));
}

/** Axes that are an input or, in older versions, an attribute. */
export function axesOf({ attributes }: ProgramNode, axes: Literal | undefined): readonly number[] | undefined {
  return axes ? Array.from(axes.data) : (attributes.get('axes') as readonly number[] | undefined);
}

/** The attribute "axis", counted from 0. */
export function axisOf({ attributes }: ProgramNode, x: Pick<Literal, 'shape'>, absent?: number): number {
  return fromStart((attributes.get('axis') as number | undefined) ?? absent ?? 0, x.shape.length);
}

/** An index counted from 0, of one that may be counted from the end. */
export function fromStart(index: number, length: number): number {
  return index < 0 ? index + length : index;
}

/** The shape, if it is one of a value that may be known. */
export function limited(shape: readonly number[]): readonly number[] {
  if (!shape.every((length) => Number.isSafeInteger(length) && length >= 0) || sizeOf(shape) > MAX_ELEMENTS) {
    throw new Error(`a known value of shape [${shape.join(', ')}], accepted are up to ${MAX_ELEMENTS} elements`);
  }
  return shape;
}

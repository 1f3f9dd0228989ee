/** Values that are known before anything is computed: weights, constants, and what shapes are made of. */
import { ndarray, sizeOf, type NdArray } from '../../../formats/ndarray';

/** A tensor of floating-point numbers, of whole numbers or of truth values (0 and 1), in row-major order. */
export interface Literal {
  readonly kind: 'float' | 'int' | 'bool';
  readonly shape: readonly number[];
  readonly data: Float32Array | Float64Array;
}

/** Numbers as a literal; float32 stays what it is. */
export function literal(kind: Literal['kind'], shape: readonly number[], data: ArrayLike<number>): Literal {
  return { kind, shape, data: data instanceof Float32Array ? data : Float64Array.from(data) };
}

/** A vector of whole numbers. */
export function integersLiteral(values: readonly number[]): Literal {
  return literal('int', [values.length], values);
}

/** As a graph takes it: float32, int64 or bool. */
export function arrayOf({ kind, shape, data }: Literal): NdArray {
  if (kind === 'bool') return ndarray('bool', shape, Uint8Array.from(data));
  if (kind === 'int') return ndarray('int64', shape, BigInt64Array.from(data, wholeNumber));
  return ndarray('float32', shape, data instanceof Float32Array ? data : Float32Array.from(data));
}

/** Are all elements the same? */
export function isUniform({ data }: Literal): boolean {
  return data.every((value) => value === data[0]);
}

/** Strides of a shape in row-major order. */
export function stridesOf(shape: readonly number[]): number[] {
  return shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
}

/** The largest and smallest int64 are no exact numbers here. */
function wholeNumber(value: number): bigint {
  const whole = BigInt(Math.trunc(value));
  return BigInt.asIntN(64, whole) === whole ? whole : value > 0 ? 2n ** 63n - 1n : -(2n ** 63n);
}

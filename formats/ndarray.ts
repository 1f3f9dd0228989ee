/** Tensors on the host: a flat typed array in row-major order with its shape and element type. */

export interface TypedArrays {
  float64: Float64Array;
  float32: Float32Array;
  int64: BigInt64Array;
  int32: Int32Array;
  int8: Int8Array;
  uint8: Uint8Array;
  bool: Uint8Array;
}

export type DType = keyof TypedArrays;

export interface NdArray<D extends DType = DType> {
  readonly dtype: D;
  readonly shape: readonly number[];
  readonly data: TypedArrays[D];
}

/** The metadata of an array: everything but its elements. */
export type TensorSpec = Pick<NdArray, 'dtype' | 'shape'>;

/** Tensors by name, in the order in which they were declared. */
export type NamedArrays = Map<string, NdArray>;

const constructors = {
  float64: Float64Array,
  float32: Float32Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const;

/** Number of elements of a shape; 1 for a scalar. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((size, length) => size * length, 1);
}

/** Bytes of one element. */
export function bytesPerElement(dtype: DType): number {
  return constructors[dtype].BYTES_PER_ELEMENT;
}

/** Wraps `data`, or creates zeros. Throws if the length does not match the shape. */
export function ndarray<D extends DType>(dtype: D, shape: readonly number[], data?: TypedArrays[D]): NdArray<D> {
  const values = data ?? (new constructors[dtype](sizeOf(shape)) as TypedArrays[D]);
  if (values.length !== sizeOf(shape)) {
    throw new Error(
      `ndarray: data must have ${sizeOf(shape)} elements for shape [${shape.join(', ')}], got ${values.length}`,
    );
  }
  return { dtype, shape, data: values };
}

/** A view of `bytes` as elements of `dtype`; copies only if the bytes are not aligned. */
export function arrayFromBytes<D extends DType>(dtype: D, shape: readonly number[], bytes: Uint8Array): NdArray<D> {
  const size = bytesPerElement(dtype);
  const aligned = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
  const data = new constructors[dtype](
    aligned.buffer as ArrayBuffer,
    aligned.byteOffset,
    Math.floor(bytes.byteLength / size),
  );
  return ndarray(dtype, shape, data as TypedArrays[D]);
}

/** The bytes of an array, without copying. */
export function bytesOf(array: NdArray): Uint8Array {
  return new Uint8Array(array.data.buffer, array.data.byteOffset, array.data.byteLength);
}

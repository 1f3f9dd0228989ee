/** Conversion between arrays on the host and tensors of TensorFlow.js, which knows float32, int32 and bool. */
import { ndarray, type DType, type NdArray } from '../../../formats/ndarray';
import type { Tensor, Tf } from './package';

const deviceTypes = {
  float64: 'float32',
  float32: 'float32',
  int64: 'int32',
  int32: 'int32',
  int8: 'int32',
  uint8: 'int32',
  bool: 'bool',
} as const;

/** The element type on the device that stands for one of the graph. */
export function deviceType(dtype: DType): 'float32' | 'int32' | 'bool' {
  return deviceTypes[dtype];
}

/** Copies an array to the device; the tensor may share its memory. */
export function toDevice(tf: Tf, { dtype, shape, data }: NdArray): Tensor {
  const values = data instanceof BigInt64Array ? Int32Array.from(data, Number) : data;
  return tf.tensor(values, [...shape], deviceTypes[dtype]);
}

/** Copies a tensor to an array of type `dtype`, which may share its memory. */
export async function toHost(tensor: Tensor, dtype: DType): Promise<NdArray> {
  // A tensor may lie in memory as what it was cast from.
  const data = await tensor.data();
  const array = ndarray(dtype, tensor.shape);
  if (data.constructor === array.data.constructor) return { ...array, data };
  if (array.data instanceof BigInt64Array) array.data.set(Array.from(data, BigInt));
  else array.data.set(data);
  return array;
}

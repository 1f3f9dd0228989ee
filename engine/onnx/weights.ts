/** Reading the weights of an ONNX model. Their names are PyTorch's unless its exporter has folded them. */
import { quoted } from '../../formats/binary';
import { ndarray, sizeOf, type NamedArrays } from '../../formats/ndarray';
import { UserError } from '../../utils/errors';
import { ofModel, rawValues, readModel } from './read';

/**
 * The float32 and int64 initializers, by name. Throws a UserError for a damaged file, or one that names an initializer whose
 * values are not in the file itself.
 */
export function readOnnxWeights(bytes: Uint8Array, path: string): NamedArrays {
  const weights: NamedArrays = new Map();
  const { initializers } = readModel(bytes, path);
  const values = ofModel(path, () => rawValues(bytes));
  for (const [name, { dtype, shape }] of initializers) {
    if (dtype !== 'float32' && dtype !== 'int64') continue;
    const raw = values.get(name) ?? new Uint8Array();
    const expected = sizeOf(shape) * (dtype === 'float32' ? 4 : 8);
    if (raw.length !== expected) {
      throw new UserError(`${path}: ${quoted(name)} must have its ${expected} bytes in the file, got ${raw.length}`);
    }
    // A copy begins at a multiple of 8, as the elements of an array must.
    const { buffer } = Uint8Array.from(raw);
    if (dtype === 'float32') weights.set(name, ndarray('float32', shape, new Float32Array(buffer)));
    else weights.set(name, ndarray('int64', shape, new BigInt64Array(buffer)));
  }
  return weights;
}

/** Reads weights from a checkpoint file of either format and matches them to a network. */
import { UserError } from '../utils/errors';
import { matches, refuseUnmatched } from '../utils/glob';
import { quoted, readBytes } from './binary';
import { foreignKind, isOnnx } from './file_kinds';
import { ndarray, sizeOf, type DType, type NamedArrays, type NdArray, type TensorSpec } from './ndarray';
import { isTorchCheckpoint, parseTorchCheckpoint, type StateDictOptions } from './pytorch/index';
import { namesUnder, unwrapped } from './pytorch/state_dict';
import { isSafetensors, parseSafetensors } from './safetensors';
import { fittingNames, isCounter, type NameOptions } from './weight_names';

/**
 * Reads a safetensors file or a PyTorch checkpoint; the format is detected from the content. Optimizer state in a run's
 * own `last.safetensors` is omitted, except averages of weights, which replace the weights. Throws UserErrors.
 */
export async function readWeights(path: string, options: StateDictOptions = {}): Promise<NamedArrays> {
  return parseWeights(readBytes(path), path, options);
}

/** As `readWeights`, from bytes in memory. `path` is for messages. */
export async function parseWeights(
  bytes: Uint8Array,
  path: string,
  options: StateDictOptions = {},
): Promise<NamedArrays> {
  if (isSafetensors(bytes)) return safetensorsWeights(bytes, path, options);
  if (isTorchCheckpoint(bytes)) return parseTorchCheckpoint(bytes, path, options);
  const neither = 'neither a safetensors file nor a PyTorch checkpoint';
  if (isOnnx(bytes)) {
    throw new UserError(`${path}: ${neither}: it is an ONNX model: use "teacher": { "onnx": FILE }`);
  }
  const kind = foreignKind(bytes);
  throw new UserError(`${path}: ${neither}${kind === undefined ? '' : `: ${kind}`}`);
}

function safetensorsWeights(bytes: Uint8Array, path: string, { key }: StateDictOptions): NamedArrays {
  const { tensors } = parseSafetensors(bytes, path);
  const own = [...tensors].filter(([name]) => !name.startsWith('optimizer.'));
  const weights: NamedArrays = new Map();
  for (const [name, array] of own) {
    const plainName = name.startsWith('distiller.') ? name : unwrapped(name);
    if (weights.has(plainName))
      throw new UserError(`${path}: it contains ${quoted(plainName)} with and without "module."`);
    weights.set(plainName, tensors.get(`optimizer.average.${name}`) ?? array);
  }
  if (key === undefined) return weights;
  const under = namesUnder(key, weights);
  if (under.size > 0) return under;
  const begin = [...new Set([...weights.keys()].map((name) => name.split('.')[0]!))];
  const known = begin.slice(0, 12).map(quoted).join(', ') + (begin.length > 12 ? ', …' : '');
  throw new UserError(`${path}: it has no tensors under the key ${quoted(key)}; names begin with ${known}`);
}

export interface FitOptions extends NameOptions {
  /** Globs of tensors that are skipped, and the key of params.json that lists them. */
  readonly skip?: readonly string[] | undefined;
  readonly skipKey?: string;
}

/**
 * The tensors that a network expects, in its order; names are first mapped to those of the network (weight_names.ts).
 * BatchNorm's counters `num_batches_tracked` may have any type, and may be missing (files older than PyTorch 0.4.1 lack
 * them; they are then 0) or superfluous; float64 is rounded to float32 if that is expected. For anything else that is
 * missing, unexpected or of another shape or type, throws a UserError that names up to three of each.
 */
export function matchStateDict(
  path: string,
  weights: NamedArrays,
  expected: ReadonlyMap<string, TensorSpec>,
  { skip = [], skipKey = 'skip', ...naming }: FitOptions = {},
): NamedArrays {
  const isKept = (name: string) => !skip.some((pattern) => matches(pattern, name));
  const wanted = new Map([...expected].filter(([name]) => isKept(name)));
  const named = fittingNames(path, weights, new Set(wanted.keys()), naming);
  refuseUnmatched(skipKey, skip, [...expected.keys(), ...named.keys()]);
  const missing = [...wanted.keys()].filter((name) => !named.has(name) && !isCounter(name));
  const unexpected = [...named.keys()].filter((name) => !wanted.has(name) && !isCounter(name) && isKept(name));
  const reshaped: string[] = [];
  const retyped: string[] = [];
  const fitting: NamedArrays = new Map();
  for (const [name, { dtype, shape }] of wanted) {
    const array = named.get(name);
    if (!array) {
      if (isCounter(name)) fitting.set(name, ndarray(dtype, shape));
      continue;
    }
    const converted = isCounter(name) ? asCounter(array, shape) : asType(array, dtype);
    const isShaped = shape.length === array.shape.length && shape.every((length, axis) => length === array.shape[axis]);
    if (!isShaped && !isCounter(name)) {
      reshaped.push(`${name}: file [${array.shape.join(',')}], network [${shape.join(',')}]`);
    } else if (!converted) {
      retyped.push(`${name}: file ${array.dtype}, network ${dtype}`);
    } else fitting.set(name, converted);
  }

  const problems = [
    describe('missing', missing),
    describe('unexpected', unexpected.map(plain)),
    describe('with another shape', reshaped),
    describe('with another type', retyped),
  ].filter((problem) => problem !== '');
  if (problems.length > 0) throw new UserError(`${path}: does not fit the network: ${problems.join(', ')}`);
  return fitting;
}

/** Converts float64 to float32; any other difference of types is an error. */
function asType(array: NdArray, dtype: DType): NdArray | undefined {
  if (array.dtype === dtype) return array;
  if (array.dtype !== 'float64' || dtype !== 'float32') return undefined;
  return ndarray('float32', array.shape, Float32Array.from(array.data as Float64Array));
}

/** A counter of any number type, if it holds one integer. */
function asCounter(array: NdArray, shape: readonly number[]): NdArray | undefined {
  const { dtype, data } = array;
  if (dtype === 'int64' && array.shape.length === shape.length) return array;
  const count = Number(data[0]);
  if (data.length !== sizeOf(shape) || dtype === 'bool' || !Number.isSafeInteger(count)) return undefined;
  return ndarray('int64', shape, BigInt64Array.of(BigInt(count)));
}

/** A count with up to three examples, such as `62 missing (conv1.weight, bn1.weight, bn1.bias, …)`; '' for none. */
function describe(problem: string, items: readonly string[]): string {
  if (items.length === 0) return '';
  const examples = items.slice(0, 3).join(', ') + (items.length > 3 ? ', …' : '');
  return `${items.length} ${problem} (${examples})`;
}

/** A name from a file, without quotes if it has only the usual characters. */
function plain(name: string): string {
  return /^[\w.:/-]{1,80}$/.test(name) ? name : quoted(name);
}

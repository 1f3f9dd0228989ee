/**
 * NumPy arrays in pickles of Python 2 and 3 and all protocols: an array is rebuilt from its dtype, shape, order and
 * bytes, which are a string, bytes encoded as text, or a buffer.
 */
import { UserError } from '../utils/errors';
import { encodings, FormatError, readBytes } from './binary';
import { sizeOf, type NdArray } from './ndarray';
import { fromFortranOrder } from './npy';
import { Inert, Refusal, unpickle } from './pytorch/pickle';

/**
 * The content of a pickle; nothing in it is executed. Throws a UserError of one line that names the file if it is
 * damaged.
 */
export function readPickle(path: string): unknown {
  const bytes = readBytes(path);
  return refusing(path, () => {
    if (bytes[0] !== 0x80) throw new FormatError('it does not begin like a pickle of protocol 2 or later');
    return unpickle(bytes, 0, new Map(), () => {
      throw new FormatError('it refers to an object that it does not contain');
    }).value;
  });
}

/** The array in a value of a pickle, if it is one; `path` names the file in messages. */
export function arrayIn(value: unknown, path: string): NdArray | undefined {
  return refusing(path, () => arrayOf(value));
}

/** A text, which is a byte string in pickles of Python 2 and in dicts read with encoding="bytes". */
export function textIn(value: unknown): string | undefined {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1');
  return typeof value === 'string' ? value : undefined;
}

function refusing<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof FormatError || error instanceof Refusal)) throw error;
    throw new UserError(`${path}: not a valid pickle: ${error.message}`);
  }
}

function arrayOf(value: unknown): NdArray | undefined {
  if (!(value instanceof Inert)) return undefined;
  const { global, args = [], state } = value;
  if (/^numpy\.(_core|core)\.multiarray\._reconstruct$/.test(global) && Array.isArray(state)) {
    const [, shape, type, isFortran, data] = state as unknown[];
    return made(shape, type, isFortran === true, data);
  }
  if (/^numpy\.(_core|core)\.numeric\._frombuffer$/.test(global)) {
    const [data, type, shape, order] = args;
    return made(shape, type, order === 'F', data);
  }
  return undefined;
}

/** The supported dtypes, without byte order. */
const types = new Map(Object.entries({ u1: 'U8', i1: 'I8', i4: 'I32', i8: 'I64' }));

function made(shape: unknown, type: unknown, isFortran: boolean, data: unknown): NdArray {
  const name = type instanceof Inert && type.global === 'numpy.dtype' ? textIn(type.args?.[0]) : undefined;
  const encoding = encodings.get(types.get(name?.replace(/^[|<]/, '') ?? '') ?? '');
  if (!encoding)
    throw new FormatError(`an array has the dtype ${name ?? 'none'}, accepted are ${[...types.keys()].join(', ')}`);
  const isShape =
    Array.isArray(shape) && shape.every((length) => Number.isSafeInteger(length) && (length as number) >= 0);
  const bytes = bytesIn(data);
  if (!isShape || bytes?.length !== sizeOf(shape as number[]) * encoding.bytesPerElement) {
    throw new FormatError('an array does not have the form that NumPy writes');
  }
  const array = encoding.decode(shape as number[], bytes);
  return isFortran ? fromFortranOrder(array) : array;
}

function bytesIn(data: unknown): Uint8Array | undefined {
  if (data instanceof Uint8Array) return data;
  // Python 3 has no bytes in old protocols: they are written as text of Latin-1.
  const text = data instanceof Inert && data.global === '_codecs.encode' ? data.args?.[0] : data;
  return typeof text === 'string' ? new Uint8Array(Buffer.from(text, 'latin1')) : undefined;
}

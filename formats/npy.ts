/**
 * NumPy's array files (numpy.org, NEP 1 "A simple file format for NumPy arrays"): a magic string, the version, the
 * length of the header, the header as a Python dict of dtype, order and shape, then the bytes of the elements.
 */
import { UserError } from '../utils/errors';
import { writeFileAtomic } from '../utils/files';
import { encodings, FormatError, quoted, readBytes } from './binary';
import { bytesOf, ndarray, sizeOf, type NdArray } from './ndarray';

const magic = Buffer.from('\x93NUMPY', 'latin1');

/** The supported element types by their NumPy names, and their encodings. */
const dtypes = new Map(
  Object.entries({
    '<f4': 'F32',
    '<f8': 'F64',
    '<i4': 'I32',
    '<i8': 'I64',
    '|u1': 'U8',
    '|i1': 'I8',
    '|b1': 'BOOL',
  }).map(([descr, name]) => [descr, encodings.get(name)!] as const),
);

/** NumPy's own limits. */
const MAX_RANK = 64;
const MAX_HEADER_LENGTH = 10_000;

/**
 * Reads an array and returns it in C order. Throws a UserError of one line that names the file if it is missing,
 * damaged, or has an unsupported dtype.
 */
export function readNpy(path: string): NdArray {
  return parseNpy(readBytes(path), path);
}

/** The same from the bytes of a file; `source` names it in messages. */
export function parseNpy(bytes: Uint8Array, source: string): NdArray {
  try {
    return parse(bytes);
  } catch (error) {
    if (error instanceof FormatError) throw new UserError(`${source}: not a valid .npy file: ${error.message}`);
    throw error;
  }
}

/** Writes an array atomically, byte for byte as numpy.save does. */
export function writeNpy(path: string, array: NdArray<'float32'>): void {
  const { shape } = array;
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  // NumPy leaves room for the first axis to grow to 21 digits, then fills up to a multiple of 64 bytes.
  const room = shape.length > 0 ? 21 - String(shape[0]).length : 0;
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': ${tuple}, }${' '.repeat(room)}`;
  const length = 64 * (Math.floor((magic.length + 4 + header.length + 1) / 64) + 1) - magic.length - 4;
  const preamble = Buffer.concat([magic, Buffer.of(1, 0, length & 0xff, length >> 8)]);
  writeFileAtomic(path, Buffer.concat([preamble, Buffer.from(`${header.padEnd(length - 1)}\n`), bytesOf(array)]));
}

function parse(bytes: Uint8Array): NdArray {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!file.subarray(0, magic.length).equals(magic)) throw new FormatError('it does not begin with \\x93NUMPY');
  const version = file[magic.length] ?? 0;
  if (version < 1 || version > 3) throw new FormatError(`it is of version ${version}, accepted are 1, 2 and 3`);
  const start = magic.length + 2 + (version === 1 ? 2 : 4);
  if (file.length < start) throw new FormatError('it ends inside its header');
  const length = version === 1 ? file.readUInt16LE(start - 2) : file.readUInt32LE(start - 4);
  if (length > MAX_HEADER_LENGTH)
    throw new FormatError(`its header has ${length} bytes, accepted are up to ${MAX_HEADER_LENGTH}`);
  if (file.length < start + length) throw new FormatError(`it ends inside its header of ${length} bytes`);
  const { descr, fortran, shape } = parseHeader(file.toString('latin1', start, start + length));

  const encoding = dtypes.get(descr);
  if (!encoding) {
    throw new FormatError(`its dtype is ${quoted(descr)}, accepted are ${[...dtypes.keys()].join(', ')}`);
  }
  const data = bytes.subarray(start + length);
  const expected = sizeOf(shape) * encoding.bytesPerElement;
  if (data.length !== expected) {
    throw new FormatError(
      `shape [${shape.slice(0, 8).join(', ')}] and dtype ${descr} take ${expected} bytes, but it has ${data.length}`,
    );
  }
  return fortran ? fromFortranOrder(encoding.decode(shape, data)) : encoding.decode(shape, data);
}

/** Parses the dict literal by converting it to JSON. */
function parseHeader(text: string): { descr: string; fortran: boolean; shape: number[] } {
  const json = text
    .replaceAll("'", '"')
    .replaceAll('(', '[')
    .replaceAll(')', ']')
    .replace(/(\d)L\b/g, '$1')
    .replace(/\bFalse\b/, 'false')
    .replace(/\bTrue\b/, 'true')
    .replace(/,\s*(?=[\]}])/g, '');
  let header: unknown;
  try {
    header = JSON.parse(json);
  } catch {
    header = undefined;
  }
  const { descr, fortran_order: fortran, shape, ...others } = Object(header) as Record<string, unknown>;
  if (Object.keys(others).length > 0 || typeof descr !== 'string' || typeof fortran !== 'boolean' || !isShape(shape)) {
    throw new FormatError(`its header is not a dict of descr, fortran_order and shape: ${quoted(text.trimEnd())}`);
  }
  return { descr, fortran, shape };
}

function isShape(value: unknown): value is number[] {
  const isLength = (item: unknown) => Number.isSafeInteger(item) && (item as number) >= 0;
  return Array.isArray(value) && value.length <= MAX_RANK && value.every(isLength);
}

/** C order, the last axis fastest, from an array whose elements lie in Fortran order, the first axis fastest. */
export function fromFortranOrder({ dtype, shape, data }: NdArray): NdArray {
  const result = ndarray(dtype, shape);
  const strides = shape.map((_, axis) => sizeOf(shape.slice(0, axis)));
  for (let i = 0; i < data.length; i++) {
    let from = 0;
    let rest = i;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += (rest % shape[axis]!) * strides[axis]!;
      rest = Math.floor(rest / shape[axis]!);
    }
    result.data[i] = data[from]!;
  }
  return result;
}

/**
 * Checkpoint files in the safetensors format (https://github.com/huggingface/safetensors#format):
 * the length of the header as 8 bytes little-endian, the header in JSON, then the tensors' bytes without gaps.
 */
import { encodings, FormatError, quoted, readBytes, type Encoding } from './binary';
import { UserError } from './errors';
import { writeFileAtomic } from './files';
import { bytesOf, sizeOf, type DType, type NamedArrays } from './ndarray';

export interface Safetensors {
  tensors: NamedArrays;
  metadata: Record<string, string>;
}

const names: Record<DType, string> = {
  float64: 'F64',
  float32: 'F32',
  int64: 'I64',
  int32: 'I32',
  int8: 'I8',
  uint8: 'U8',
  bool: 'BOOL',
};

/** Whether the bytes open as a safetensors file does: a JSON object behind the 8 bytes of its length. */
export function isSafetensors(bytes: Uint8Array): boolean {
  return bytes[8] === 0x7b;
}

/**
 * Reads a file: its tensors in the order of their bytes, F16 and BF16 as float32, and the metadata.
 * A UserError of one line names the file where it is missing or damaged.
 */
export function readSafetensors(path: string): Safetensors {
  return parseSafetensors(readBytes(path), path);
}

/** As `readSafetensors`, from bytes at hand; the tensors are views of them. `path` is for messages. */
export function parseSafetensors(bytes: Uint8Array, path: string): Safetensors {
  try {
    return parse(bytes);
  } catch (error) {
    if (error instanceof FormatError) throw new UserError(`${path}: not a valid safetensors file: ${error.message}`);
    throw error;
  }
}

/** Writes a file, atomically; the same tensors in the same order give the same bytes. */
export function writeSafetensors(path: string, tensors: NamedArrays, metadata: Record<string, string> = {}): void {
  let end = 0;
  const header: [string, unknown][] = Object.keys(metadata).length > 0 ? [['__metadata__', metadata]] : [];
  for (const [name, array] of tensors) {
    if (name === '__metadata__') throw new Error('writeSafetensors: a tensor cannot be named __metadata__');
    const begin = end;
    end += array.data.byteLength;
    header.push([name, { dtype: names[array.dtype], shape: array.shape, data_offsets: [begin, end] }]);
  }
  const json = Buffer.from(JSON.stringify(Object.fromEntries(header)));
  const padding = Buffer.alloc(-json.length & 7, ' ');
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length + padding.length));
  writeFileAtomic(path, Buffer.concat([length, json, padding, ...[...tensors.values()].map(bytesOf)]));
}

interface Entry {
  name: string;
  encoding: Encoding;
  shape: number[];
  begin: number;
  end: number;
}

function parse(bytes: Uint8Array): Safetensors {
  if (bytes.length < 8) throw new FormatError(`it has ${bytes.length} bytes, the length of its header alone takes 8`);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (length > BigInt(bytes.length - 8)) {
    throw new FormatError(`its header should have ${length} bytes, but only ${bytes.length - 8} follow`);
  }
  const header = parseHeader(bytes.subarray(8, 8 + Number(length)));
  const data = bytes.subarray(8 + Number(length));

  const metadata = header.get('__metadata__') ?? {};
  if (!isObject(metadata) || !Object.values(metadata).every((value) => typeof value === 'string')) {
    throw new FormatError('__metadata__ is not an object of strings');
  }
  header.delete('__metadata__');

  const entries = [...header].map(([name, value]) => parseEntry(name, value));
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  const tensors: NamedArrays = new Map();
  let position = 0;
  for (const { name, encoding, shape, begin, end } of entries) {
    if (begin !== position)
      throw new FormatError(`${quoted(name)} starts at byte ${begin} of the data, not at ${position}`);
    if (end > data.length) throw new FormatError(`${quoted(name)} ends at byte ${end} of ${data.length} bytes of data`);
    tensors.set(name, encoding.decode(shape, data.subarray(begin, end)));
    position = end;
  }
  if (position !== data.length) {
    throw new FormatError(`its tensors take ${position} bytes, but ${data.length} bytes of data are there`);
  }
  return { tensors, metadata: metadata as Record<string, string> };
}

function parseHeader(bytes: Uint8Array): Map<string, unknown> {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new FormatError('its header is not JSON');
  }
  if (!isObject(header)) throw new FormatError('its header is not a JSON object');
  return new Map(Object.entries(header));
}

function parseEntry(name: string, value: unknown): Entry {
  if (!isObject(value)) throw new FormatError(`${quoted(name)} is not described by an object`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== 'string') throw new FormatError(`the dtype of ${quoted(name)} is not a string`);
  const encoding = encodings.get(dtype);
  if (!encoding) {
    const accepted = [...encodings.keys()].join(', ');
    throw new FormatError(`${quoted(name)} has the dtype ${quoted(dtype)}, accepted are ${accepted}`);
  }
  if (!isSizes(shape)) throw new FormatError(`the shape of ${quoted(name)} is not a list of non-negative integers`);
  if (!isSizes(offsets) || offsets.length !== 2) {
    throw new FormatError(`the data_offsets of ${quoted(name)} are not two non-negative integers`);
  }
  const [begin, end] = offsets as [number, number];
  if (end - begin !== sizeOf(shape) * encoding.bytesPerElement) {
    throw new FormatError(
      `${quoted(name)} of shape [${shape.slice(0, 8).join(', ')}] and dtype ${dtype} has ${end - begin} bytes`,
    );
  }
  return { name, encoding, shape, begin, end };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

/**
 * Checkpoint files in the safetensors format (https://github.com/huggingface/safetensors#format): the length of the
 * header as 8 bytes little-endian, the header in JSON, then the tensors' bytes without gaps.
 *
 * Files written here detect damage: their metadata has the SHA-256 of header and data, with zeros in place of the hash.
 */
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { UserError } from '../utils/errors';
import { reading, writeFileAtomic } from '../utils/files';
import { isObject } from '../utils/json';
import { encodings, FormatError, quoted, readBytes, type Encoding } from './binary';
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

const HASH = 'distillery.sha256';
const zeros = '0'.repeat(64);

/** Whether the bytes begin like a safetensors file: a JSON object after the 8 bytes of its length. */
export function isSafetensors(bytes: Uint8Array): boolean {
  return bytes[8] === 0x7b;
}

/**
 * Reads a file: its tensors in the order of their bytes, F16 and BF16 as float32, and the metadata without our hash.
 * Throws a UserError of one line that names the file if it is missing or damaged.
 */
export function readSafetensors(path: string): Safetensors {
  return parseSafetensors(readBytes(path), path);
}

/** As `readSafetensors`, from bytes in memory; the tensors are views of them. `path` is for messages. */
export function parseSafetensors(bytes: Uint8Array, path: string): Safetensors {
  try {
    return parse(bytes);
  } catch (error) {
    if (error instanceof FormatError) throw new UserError(`${path}: not a valid safetensors file: ${error.message}`);
    throw error;
  }
}

/** The metadata of a file without our hash: reads only its header and does not check the data. */
export function readMetadata(path: string): Record<string, string> {
  return reading(path, () => {
    const file = openSync(path, 'r');
    const read = (from: number, count: number) => {
      const bytes = Buffer.alloc(count);
      return bytes.subarray(0, readSync(file, bytes, 0, count, from));
    };
    try {
      const length = headerLength(read(0, 8), fstatSync(file).size);
      const metadata = metadataOf(parseHeader(read(8, length)));
      return Object.fromEntries(Object.entries(metadata).filter(([name]) => name !== HASH));
    } finally {
      closeSync(file);
    }
  });
}

/**
 * Writes a file atomically; equal tensors in equal order give equal bytes. If `keep` names a file, the old content
 * moves there.
 */
export function writeSafetensors(
  path: string,
  tensors: NamedArrays,
  metadata: Readonly<Record<string, string>> = {},
  keep?: string,
): void {
  let end = 0;
  const header: [string, unknown][] = [['__metadata__', { ...metadata, [HASH]: zeros }]];
  for (const [name, array] of tensors) {
    if (name === '__metadata__') throw new Error('writeSafetensors: a tensor cannot be named __metadata__');
    const begin = end;
    end += array.data.byteLength;
    header.push([name, { dtype: names[array.dtype], shape: array.shape, data_offsets: [begin, end] }]);
  }
  const json = JSON.stringify(Object.fromEntries(header));
  const blank = Buffer.from(json + ' '.repeat(-Buffer.byteLength(json) & 7));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(blank.length));
  const data = [...tensors.values()].map(bytesOf);
  const signed = withHash(blank, hashOf(blank, ...data));
  writeFileAtomic(path, [length, signed, ...data], keep);
}

interface Entry {
  name: string;
  encoding: Encoding;
  shape: number[];
  begin: number;
  end: number;
}

function parse(bytes: Uint8Array): Safetensors {
  const length = headerLength(bytes, bytes.length);
  const text = bytes.subarray(8, 8 + length);
  const header = parseHeader(text);
  const data = bytes.subarray(8 + length);
  const metadata = metadataOf(header);
  header.delete('__metadata__');

  const entries = [...header].map(([name, value]) => parseEntry(name, value));
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  const tensors: NamedArrays = new Map();
  let position = 0;
  for (const { name, encoding, shape, begin, end } of entries) {
    if (begin !== position)
      throw new FormatError(`${quoted(name)} starts at byte ${begin} of the data, not at ${position}`);
    if (end > data.length)
      throw new FormatError(`${quoted(name)} ends at byte ${end}, but there are ${data.length} bytes of data`);
    tensors.set(name, encoding.decode(shape, data.subarray(begin, end)));
    position = end;
  }
  if (position !== data.length) {
    throw new FormatError(`its tensors take ${position} bytes, but there are ${data.length} bytes of data`);
  }
  const { [HASH]: hash, ...rest } = metadata;
  if (hash !== undefined && hash !== hashOf(withHash(text, zeros), data)) {
    throw new FormatError('it is damaged: its content does not match its hash');
  }
  return { tensors, metadata: rest };
}

/** The length of a header, from the first bytes of a file of the given size. */
function headerLength(bytes: Uint8Array, size: number): number {
  if (bytes.length < 8)
    throw new FormatError(`it has ${bytes.length} bytes, but the length of the header alone takes 8`);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (length > BigInt(size - 8)) {
    throw new FormatError(`its header should have ${length} bytes, but only ${size - 8} follow`);
  }
  return Number(length);
}

function metadataOf(header: ReadonlyMap<string, unknown>): Record<string, string> {
  const metadata = header.get('__metadata__') ?? {};
  if (!isObject(metadata) || !Object.values(metadata).every((value) => typeof value === 'string')) {
    throw new FormatError('__metadata__ is not an object of strings');
  }
  return metadata as Record<string, string>;
}

/** A header with its hash replaced. */
function withHash(header: Uint8Array, hash: string): Uint8Array {
  const copy = Buffer.from(header);
  copy.write(hash, copy.indexOf(`"${HASH}":"`) + HASH.length + 4, 'latin1');
  return copy;
}

function hashOf(...parts: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
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
  if (!isObject(value)) throw new FormatError(`the description of ${quoted(name)} is not an object`);
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

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

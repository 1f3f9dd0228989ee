/**
 * Arrays of numbers from MATLAB's files of version 5 ("MAT-File Format", The MathWorks): a header of 128 bytes, then
 * elements, each a type, a length in bytes and the data. An array is an element with flags, shape, name and numbers;
 * most are compressed by zlib one by one, and are parsed while they are inflated.
 */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { createInflate } from 'node:zlib';
import { messageOf, UserError } from '../utils/errors';
import { reading } from '../utils/files';
import { FormatError, quoted } from './binary';
import { sizeOf } from './ndarray';

/** Column-major: the first axis is the fastest. */
export interface MatArray {
  readonly shape: readonly number[];
  readonly data:
    Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | Float32Array | Float64Array;
}

const HEADER = 128;
const [MATRIX, COMPRESSED] = [14, 15];
/** The storage types of numbers, which may differ from their types in MATLAB. */
const kinds = {
  1: Int8Array,
  2: Uint8Array,
  3: Int16Array,
  4: Uint16Array,
  5: Int32Array,
  6: Uint32Array,
  7: Float32Array,
  9: Float64Array,
} as const;
/** Types of arrays of numbers in MATLAB: double, single, then the integers. */
const [FIRST_NUMERIC, LAST_NUMERIC] = [6, 13];
const MAX_NAME = 64;
const MAX_AXES = 32;
/** The maximum compression ratio of zlib. */
const MAX_EXPANSION = 1032;
const MAX_BYTES = 2 ** 32;

/**
 * Reads the arrays with these names. Throws a UserError of one line that names the file if it is damaged or lacks one
 * of them.
 */
export async function readMat<N extends string>(path: string, names: readonly N[]): Promise<Record<N, MatArray>> {
  const elements = await reading(path, () => elementsOf(path));
  const found = new Map<string, MatArray>();
  try {
    for (const element of elements) {
      const [name, array] = await readElement(path, element, names);
      if (array) found.set(name, array);
      if (found.size === names.length) break;
    }
  } catch (error) {
    if (error instanceof FormatError) throw new UserError(`${path}: not a valid MATLAB file: ${error.message}`);
    throw error;
  }
  const missing = names.find((name) => !found.has(name));
  if (missing !== undefined) throw new UserError(`${path}: no array ${quoted(missing)} in it`);
  return Object.fromEntries(found) as Record<N, MatArray>;
}

interface Element {
  readonly begin: number;
  readonly bytes: number;
  readonly isCompressed: boolean;
}

/** The positions of the arrays in a file. */
async function elementsOf(path: string): Promise<Element[]> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const at = async (position: number, length: number) => {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
      return buffer.subarray(0, bytesRead);
    };
    refuseOthers(path, await at(0, HEADER));
    const elements: Element[] = [];
    for (let begin = HEADER; begin + 8 <= size;) {
      const tag = await at(begin, 8);
      const [type, bytes] = [tag.readUInt32LE(0), tag.readUInt32LE(4)];
      if (bytes > size - begin - 8) throw new UserError(`${path}: not a valid MATLAB file: it is truncated`);
      if (type === MATRIX) elements.push({ begin, bytes: 8 + bytes, isCompressed: false });
      else if (type === COMPRESSED) elements.push({ begin: begin + 8, bytes, isCompressed: true });
      begin += 8 + (type === COMPRESSED ? bytes : 8 * Math.ceil(bytes / 8));
    }
    return elements;
  } finally {
    await file.close();
  }
}

function refuseOthers(path: string, header: Buffer): void {
  const text = header.toString('latin1', 0, 20);
  if (text.startsWith('MATLAB 7.3')) {
    throw new UserError(`${path}: of MATLAB's version 7.3 (HDF5), accepted is 5: save it with -v7`);
  }
  const mark = header.toString('latin1', 126, 128);
  if (mark !== 'IM' || header.readUInt16LE(124) !== 0x100) {
    throw new UserError(`${path}: not a MATLAB file of version 5${mark === 'MI' ? ', little-endian' : ''}`);
  }
}

/** The name of an array, and the array if it is wanted. */
async function readElement(
  path: string,
  { begin, bytes, isCompressed }: Element,
  wanted: readonly string[],
): Promise<readonly [string, MatArray?]> {
  const stored = createReadStream(path, { start: begin, end: begin + Math.max(0, bytes - 1) });
  const content = isCompressed ? pipeline(stored, createInflate(), () => {}) : stored;
  const input = new Pieces(content, isCompressed ? MAX_EXPANSION * (bytes + 1) : bytes);
  try {
    const tag = await input.read(8);
    if (tag.readUInt32LE(0) !== MATRIX) return [''];
    const { data: flags } = await input.element(8);
    const { type, data: axes } = await input.element(4 * MAX_AXES);
    const name = (await input.element(MAX_NAME)).data.toString('latin1');
    if (flags.length < 8 || type !== 5 || axes.length % 4 !== 0)
      throw new FormatError('the description of an array is missing');
    if (!wanted.includes(name)) return [name];
    const shape = Array.from({ length: axes.length / 4 }, (_, i) => axes.readInt32LE(4 * i));
    if (flags[0]! < FIRST_NUMERIC || flags[0]! > LAST_NUMERIC || (flags[1]! & 0x08) !== 0) {
      throw new FormatError(`${quoted(name)} is not an array of real numbers`);
    }
    const array = await numbers(input, name, shape);
    await input.end();
    return [name, array];
  } catch (error) {
    if (error instanceof FormatError) throw error;
    throw new FormatError(messageOf(error));
  } finally {
    content.destroy();
    stored.destroy();
  }
}

async function numbers(input: Pieces, name: string, shape: readonly number[]): Promise<MatArray> {
  const { type, bytes, inline } = await input.tag();
  const Kind = kinds[type as keyof typeof kinds] as (typeof kinds)[keyof typeof kinds] | undefined;
  if (!Kind) throw new FormatError(`${quoted(name)} holds numbers of the type ${type}`);
  const isShape = shape.length >= 2 && shape.every((length) => length >= 0);
  if (!isShape || sizeOf(shape) * Kind.BYTES_PER_ELEMENT !== bytes) {
    throw new FormatError(`${quoted(name)} has the shape [${shape.join(', ')}], but ${bytes} bytes`);
  }
  if (bytes > MAX_BYTES) throw new FormatError(`${quoted(name)} has ${bytes} bytes, accepted are up to ${MAX_BYTES}`);
  if (inline) return { shape, data: new Kind(new Uint8Array(inline.subarray(0, bytes)).buffer) };
  const data = new Kind(input.claimed(bytes) / Kind.BYTES_PER_ELEMENT);
  await input.fill(new Uint8Array(data.buffer));
  return { shape, data };
}

/** A reader of bytes that arrive in pieces. */
class Pieces {
  private readonly pieces: AsyncIterator<Buffer>;
  private piece: Uint8Array = new Uint8Array();
  private taken = 0;

  constructor(
    content: AsyncIterable<Buffer>,
    /** Upper bound of the number of bytes. */
    private readonly most: number,
  ) {
    this.pieces = content[Symbol.asyncIterator]();
  }

  /** Checks that a given number of bytes can exist. */
  claimed(bytes: number): number {
    if (bytes > this.most - this.taken) throw new FormatError('it is truncated');
    return bytes;
  }

  async fill(target: Uint8Array): Promise<void> {
    for (let at = 0; at < target.length;) {
      if (this.piece.length === 0) {
        const next = await this.pieces.next();
        if (next.done) throw new FormatError('it is truncated');
        this.piece = next.value;
      }
      const count = Math.min(target.length - at, this.piece.length);
      target.set(this.piece.subarray(0, count), at);
      this.piece = this.piece.subarray(count);
      at += count;
    }
    this.taken += target.length;
  }

  /** Reads to the end, where the checksum is; an array may be padded to a multiple of 8 bytes. */
  async end(): Promise<void> {
    for (let rest = this.piece.length; ;) {
      if (rest > 8) throw new FormatError('an array is followed by unexpected data');
      const next = await this.pieces.next();
      if (next.done) return;
      rest += next.value.length;
    }
  }

  async read(bytes: number): Promise<Buffer> {
    const target = Buffer.alloc(bytes);
    await this.fill(target);
    return target;
  }

  /** Type and length; data of up to four bytes is stored in the same 8 bytes. */
  async tag(): Promise<{ type: number; bytes: number; inline?: Buffer }> {
    const tag = await this.read(8);
    const [type, short] = [tag.readUInt16LE(0), tag.readUInt16LE(2)];
    if (short > 4) throw new FormatError('the description of an element is missing');
    return short > 0 ? { type, bytes: short, inline: tag.subarray(4) } : { type, bytes: tag.readUInt32LE(4) };
  }

  /** A whole element of at most `most` bytes. */
  async element(most: number): Promise<{ type: number; data: Buffer }> {
    const { type, bytes, inline } = await this.tag();
    if (inline) return { type, data: inline.subarray(0, bytes) };
    if (bytes > most) throw new FormatError(`an element has ${bytes} bytes, accepted are up to ${most}`);
    const data = await this.read(8 * Math.ceil(bytes / 8));
    return { type, data: data.subarray(0, bytes) };
  }
}

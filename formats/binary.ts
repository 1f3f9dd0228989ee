/**
 * Shared by the readers of checkpoint files: the bytes of a file, number encodings, and the error for invalid files.
 */
import { readFileSync } from 'node:fs';
import { reading } from '../utils/files';
import { arrayFromBytes, ndarray, type NdArray } from './ndarray';

/** The bytes do not follow their format. The message says why; the caller that knows the path puts it in front. */
export class FormatError extends Error {}

/** An encoding of numbers in a file: little-endian, row-major. */
export interface Encoding {
  readonly bytesPerElement: number;
  /** The elements as an array; `bytes` must have exactly the length that the shape requires. */
  decode(shape: readonly number[], bytes: Uint8Array): NdArray;
}

/** The supported encodings by their names in safetensors; half precision becomes float32, int16 becomes int32. */
export const encodings: ReadonlyMap<string, Encoding> = new Map<string, Encoding>([
  ['F64', { bytesPerElement: 8, decode: (shape, bytes) => arrayFromBytes('float64', shape, bytes) }],
  ['F32', { bytesPerElement: 4, decode: (shape, bytes) => arrayFromBytes('float32', shape, bytes) }],
  ['F16', { bytesPerElement: 2, decode: (shape, bytes) => ndarray('float32', shape, float16ToFloat32(bytes)) }],
  ['BF16', { bytesPerElement: 2, decode: (shape, bytes) => ndarray('float32', shape, bfloat16ToFloat32(bytes)) }],
  ['I64', { bytesPerElement: 8, decode: (shape, bytes) => arrayFromBytes('int64', shape, bytes) }],
  ['I32', { bytesPerElement: 4, decode: (shape, bytes) => arrayFromBytes('int32', shape, bytes) }],
  ['I16', { bytesPerElement: 2, decode: (shape, bytes) => ndarray('int32', shape, int16ToInt32(bytes)) }],
  ['I8', { bytesPerElement: 1, decode: (shape, bytes) => arrayFromBytes('int8', shape, bytes) }],
  ['U8', { bytesPerElement: 1, decode: (shape, bytes) => arrayFromBytes('uint8', shape, bytes) }],
  ['BOOL', { bytesPerElement: 1, decode: (shape, bytes) => arrayFromBytes('bool', shape, bytes) }],
]);

/** The bytes of a file. Throws a UserError that names the file if it is missing or unreadable. */
export function readBytes(path: string): Uint8Array {
  const { buffer, byteOffset, byteLength } = reading(path, () => readFileSync(path));
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Text from a file for use in a message: quoted, control characters escaped, shortened to 80 characters. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 79)}…` : text);
}

/** Little-endian words of 16 bits. */
function wordsOf(bytes: Uint8Array): Uint16Array {
  const aligned = bytes.byteOffset % 2 === 0 ? bytes : new Uint8Array(bytes);
  return new Uint16Array(aligned.buffer as ArrayBuffer, aligned.byteOffset, bytes.length >> 1);
}

function int16ToInt32(bytes: Uint8Array): Int32Array {
  return Int32Array.from(wordsOf(bytes), (word) => (word << 16) >> 16);
}

/** The value of each of the 65,536 words of binary16, computed on first use. */
let halves: Float32Array | undefined;

/** Little-endian IEEE 754 binary16 to float32; exact, as every half-precision number is a single-precision one. */
function float16ToFloat32(bytes: Uint8Array): Float32Array {
  const numbers = (halves ??= Float32Array.from({ length: 2 ** 16 }, (_, word) => halfOf(word)));
  const words = wordsOf(bytes);
  const floats = new Float32Array(words.length);
  for (let i = 0; i < words.length; i++) floats[i] = numbers[words[i]!]!;
  return floats;
}

function halfOf(bits: number): number {
  const sign = bits >> 15 === 0 ? 1 : -1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = (bits & 0x3ff) / 0x400;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  return exponent === 0 ? sign * fraction * 2 ** -14 : sign * (1 + fraction) * 2 ** (exponent - 15);
}

/** Little-endian bfloat16 to float32; exact, as it is the upper half of a single-precision number. */
function bfloat16ToFloat32(bytes: Uint8Array): Float32Array {
  const words = wordsOf(bytes);
  const bits = new Uint32Array(words.length);
  for (let i = 0; i < words.length; i++) bits[i] = words[i]! << 16;
  return new Float32Array(bits.buffer);
}

/**
 * IDX files, plain or as `.gz`: two zero bytes, the element type (8: unsigned byte, 12: 32-bit integer), the number of axes,
 * the length of each axis (big-endian 32 bit), and the elements.
 */
import { gunzipSync } from 'node:zlib';
import { readBytes } from '../../../formats/binary';
import { messageOf, UserError } from '../../../utils/errors';

const types = {
  byte: { code: 8, bytes: 1, title: 'unsigned bytes' },
  integer: { code: 12, bytes: 4, title: '32-bit integers' },
} as const;

export type IdxType = keyof typeof types;

export interface IdxArray {
  readonly lengths: readonly number[];
  readonly elements: Uint8Array | Int32Array;
}

/** Maximum uncompressed bytes; the largest of the MNIST variants has 547 MB. */
const MAX_BYTES = 2 ** 30;

/** An array with the given type and number of axes, none of them empty. */
export function readIdx(path: string, axes: number, type: IdxType = 'byte'): IdxArray {
  const { code, bytes: elementBytes, title } = types[type];
  const bytes = contentOf(path);
  const start = 4 + 4 * axes;
  const magic = [0, 0, code, axes];
  if (bytes.length < start || !magic.every((byte, i) => bytes[i] === byte)) {
    throw new UserError(`${path}: not an IDX file of ${title} with ${axes} axes`);
  }
  const lengths = Array.from({ length: axes }, (_, i) => bytes.readUInt32BE(4 + 4 * i));
  const expected = start + elementBytes * lengths.reduce((product, length) => product * length, 1);
  if (bytes.length !== expected || expected === start) {
    const shape = lengths.join(' × ');
    throw new UserError(`${path}: ${bytes.length} bytes, but ${shape} elements take ${expected}: the file is damaged`);
  }
  if (type === 'byte') return { lengths, elements: new Uint8Array(bytes.subarray(start)) };
  const count = (expected - start) / elementBytes;
  return { lengths, elements: Int32Array.from({ length: count }, (_, i) => bytes.readInt32BE(start + 4 * i)) };
}

function contentOf(path: string): Buffer {
  const bytes = Buffer.from(readBytes(path));
  if (!path.endsWith('.gz')) return bytes;
  try {
    return gunzipSync(bytes, { maxOutputLength: MAX_BYTES });
  } catch (error) {
    const isTooLarge = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
    const reason = isTooLarge ? `it holds more than ${MAX_BYTES} bytes` : messageOf(error);
    throw new UserError(`${path}: not a whole gzip file: ${reason}`);
  }
}

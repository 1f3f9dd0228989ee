/**
 * Windows bitmaps (BMP), which the image library does not read: 1, 4 or 8 bits a pixel with a palette, 16, 24 or 32
 * bits with masks or without, bottom-up or top-down rows, uncompressed. Transparency is ignored.
 */
import { FormatError } from '../../../formats/binary';
import { checkedSize, type Picture } from './picture';

/** The bytes of a file that begins with `BM`. Throws a FormatError. */
export function decodeBitmap(bytes: Uint8Array): Picture {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (file.length < 30) throw new FormatError('a BMP that ends inside its header');
  const headerBytes = file.readUInt32LE(14);
  const isOld = headerBytes === 12;
  if (!isOld && (headerBytes < 40 || file.length < 14 + headerBytes)) {
    throw new FormatError(`a BMP whose header has ${headerBytes} bytes`);
  }
  const width = isOld ? file.readUInt16LE(18) : file.readInt32LE(18);
  const stored = isOld ? file.readUInt16LE(20) : file.readInt32LE(22);
  const bits = file.readUInt16LE(isOld ? 24 : 28);
  const compression = isOld ? 0 : file.readUInt32LE(30);
  const height = Math.abs(stored);
  checkedSize(width, height);
  if (![1, 4, 8, 16, 24, 32].includes(bits)) throw new FormatError(`a BMP of ${bits} bits a pixel`);
  const hasMasks = compression === 3 || compression === 6;
  if (compression !== 0 && !(hasMasks && bits >= 16)) {
    throw new FormatError(`a BMP with compression ${compression}, accepted is none`);
  }

  const begin = file.readUInt32LE(10);
  const rowBytes = 4 * Math.ceil((width * bits) / 32);
  if (begin + height * rowBytes > file.length) throw new FormatError('a truncated BMP');
  const colorOf =
    bits <= 8 ? paletteOf(file, 14 + headerBytes, begin, isOld ? 3 : 4, bits) : masksOf(file, bits, hasMasks);
  const pixels = new Uint8Array(3 * width * height);
  for (let y = 0; y < height; y++) {
    const row = begin + (stored > 0 ? height - 1 - y : y) * rowBytes;
    for (let x = 0; x < width; x++) colorOf(valueAt(file, row, x, bits), pixels, 3 * (y * width + x));
  }
  return { pixels, height, width };
}

/** Writes the color of a stored value. */
type ColorOf = (value: number, out: Uint8Array, at: number) => void;

function valueAt(file: Buffer, row: number, x: number, bits: number): number {
  if (bits === 24) return file.readUIntLE(row + 3 * x, 3);
  if (bits === 32) return file.readUInt32LE(row + 4 * x);
  if (bits === 16) return file.readUInt16LE(row + 2 * x);
  const perByte = 8 / bits;
  const shift = 8 - bits * ((x % perByte) + 1);
  return (file[row + Math.floor(x / perByte)]! >> shift) & (2 ** bits - 1);
}

function paletteOf(file: Buffer, from: number, end: number, entryBytes: number, bits: number): ColorOf {
  const colors = Math.min(2 ** bits, Math.floor((end - from) / entryBytes));
  return (value, out, at) => {
    if (value >= colors)
      throw new FormatError(`a BMP with color number ${value} in a palette of ${Math.max(0, colors)} colors`);
    const entry = from + value * entryBytes;
    for (let i = 0; i < 3; i++) out[at + i] = file[entry + 2 - i]!;
  };
}

/** The bit masks of red, green and blue: those of the file, or the usual ones. */
function masksOf(file: Buffer, bits: number, hasMasks: boolean): ColorOf {
  const usual = bits === 16 ? [0x7c00, 0x3e0, 0x1f] : [0xff0000, 0xff00, 0xff];
  // Behind the 40 bytes that all headers begin with, in the header or after it.
  if (hasMasks && file.length < 66) throw new FormatError('a BMP that ends inside its header');
  const masks = hasMasks ? [54, 58, 62].map((at) => file.readUInt32LE(at)) : usual;
  const parts = masks.map((mask) => {
    const unit = mask === 0 ? 1 : mask & -mask;
    return { mask, unit: unit >>> 0, most: Math.max(1, mask / (unit >>> 0)) };
  });
  return (value, out, at) => {
    parts.forEach(({ mask, unit, most }, i) => {
      out[at + i] = Math.min(255, Math.floor(((((value & mask) >>> 0) / unit) * 255) / most));
    });
  };
}

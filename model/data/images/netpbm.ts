/**
 * The Netpbm formats PBM, PGM and PPM (netpbm.sourceforge.net), which the image library does not read: P1 to P3 in
 * decimal digits, P4 to P6 binary with two bytes for values above 255. Values are scaled to 0 … 255.
 */
import { FormatError } from '../../../formats/binary';
import { checkedSize, type Picture } from './picture';

/** The bytes of a file that begins with `P1` to `P6`. Throws a FormatError. */
export function decodeNetpbm(bytes: Uint8Array): Picture {
  const kind = bytes[1]! - 0x30;
  const [isPlain, isBits, channels] = [kind <= 3, kind % 3 === 1, kind % 3 === 0 ? 3 : 1];
  const input = new Tokens(bytes, 2);
  const [width, height] = [input.number(), input.number()];
  const most = isBits ? 1 : input.number();
  checkedSize(width, height);
  if (most < 1 || most > 65535) throw new FormatError(`a Netpbm file with the maximum value ${most}`);

  const count = width * height * channels;
  const valueAt = isPlain
    ? plainValues(input, isBits, count)
    : binaryValues(bytes, input.skipOne(), { isBits, most, width, count });
  const pixels = new Uint8Array(3 * width * height);
  for (let i = 0; i < count; i++) {
    const value = valueAt(i);
    const level = isBits ? 255 * (1 - value) : Math.min(255, rounded((value / most) * 255));
    if (channels === 3) pixels[i] = level;
    else pixels.fill(level, 3 * i, 3 * i + 3);
  }
  return { pixels, height, width };
}

/** Rounds to the nearest integer, half to even. */
function rounded(value: number): number {
  const up = Math.round(value);
  return up - value === 0.5 && up % 2 !== 0 ? up - 1 : up;
}

/** A reader of consecutive values. */
function plainValues(input: Tokens, isBits: boolean, count: number): () => number {
  // A value takes a byte at least.
  if (count > input.left) throw new FormatError('a truncated Netpbm file');
  return () => (isBits ? input.digit() : input.number());
}

function binaryValues(
  bytes: Uint8Array,
  begin: number,
  { isBits, most, width, count }: { isBits: boolean; most: number; width: number; count: number },
): (i: number) => number {
  const rowBytes = Math.ceil(width / 8);
  const size = isBits ? rowBytes * (count / width) : count * (most > 255 ? 2 : 1);
  if (begin + size > bytes.length) throw new FormatError('a truncated Netpbm file');
  if (isBits) {
    return (i) => {
      const x = i % width;
      return (bytes[begin + ((i - x) / width) * rowBytes + (x >> 3)]! >> (7 - (x & 7))) & 1;
    };
  }
  return most > 255 ? (i) => bytes[begin + 2 * i]! * 256 + bytes[begin + 2 * i + 1]! : (i) => bytes[begin + i]!;
}

/** Decimal numbers between blanks and comments. */
class Tokens {
  constructor(
    private readonly bytes: Uint8Array,
    private at: number,
  ) {}

  get left(): number {
    return this.bytes.length - this.at;
  }

  number(): number {
    this.skipBlanks();
    let value = 0;
    const begin = this.at;
    while (isDigit(this.bytes[this.at]) && this.at - begin < 10) value = 10 * value + this.bytes[this.at++]! - 0x30;
    if (this.at === begin) throw new FormatError('a Netpbm file with text in place of a number');
    return value;
  }

  /** A single digit: those of a PBM need no blanks between them. */
  digit(): number {
    this.skipBlanks();
    const value = this.bytes[this.at++]! - 0x30;
    if (value !== 0 && value !== 1) throw new FormatError('a Netpbm file with text in place of a bit');
    return value;
  }

  /** The position of the pixels, after the one blank that ends the header. */
  skipOne(): number {
    return this.at + 1;
  }

  private skipBlanks(): void {
    for (;;) {
      const byte = this.bytes[this.at];
      if (byte === 0x23) {
        while (this.at < this.bytes.length && this.bytes[this.at] !== 0x0a) this.at++;
      } else if (byte === 0x20 || (byte !== undefined && byte >= 0x09 && byte <= 0x0d)) this.at++;
      else return;
    }
  }
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

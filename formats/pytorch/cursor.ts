/** A position in the bytes of a pickle, from which numbers and texts are read, with bounds checks. */
import { FormatError } from '../binary';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Bytes of the longest integer. */
const MAX_LONG = 2 ** 16;

/** Numbers are little-endian except float64, as in Python's pickles. Reading beyond the end throws a FormatError. */
export class Cursor {
  private readonly view: DataView;

  constructor(
    private readonly bytes: Uint8Array,
    public position: number,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Moves on by `length` bytes and returns where they start. */
  skip(length: number): number {
    const from = this.position;
    if (length > this.bytes.length - from) throw new FormatError('it is truncated: a pickle extends beyond its end');
    this.position += length;
    return from;
  }

  slice(length: number): Uint8Array {
    const from = this.skip(length);
    return this.bytes.subarray(from, from + length);
  }

  uint8(): number {
    return this.view.getUint8(this.skip(1));
  }

  uint16(): number {
    return this.view.getUint16(this.skip(2), true);
  }

  uint32(): number {
    return this.view.getUint32(this.skip(4), true);
  }

  int32(): number {
    return this.view.getInt32(this.skip(4), true);
  }

  /** A length of 8 bytes; one above 2^53 exceeds any file. */
  length64(): number {
    return Number(this.view.getBigUint64(this.skip(8), true));
  }

  float64(): number {
    return this.view.getFloat64(this.skip(8));
  }

  /** A two's complement integer; a bigint if it exceeds a number's precision. */
  long(length: number): number | bigint {
    if (length > MAX_LONG) throw new FormatError(`the pickle has an integer of ${length} bytes`);
    const digits = Buffer.from(this.slice(length)).reverse().toString('hex');
    const signed = BigInt.asIntN(8 * length, BigInt(`0x0${digits}`));
    return Number.isSafeInteger(Number(signed)) ? Number(signed) : signed;
  }

  /** The text up to the next line feed, which is skipped. */
  line(): string {
    const end = this.bytes.indexOf(0x0a, this.position);
    const text = this.text((end < 0 ? this.bytes.length : end) - this.position);
    this.skip(1);
    return text;
  }

  /** `length` bytes of a Python 2 string, which has no encoding: each byte is a character. */
  latin1(length: number): string {
    return Buffer.from(this.slice(length)).toString('latin1');
  }

  /** `length` bytes of UTF-8. */
  text(length: number): string {
    const bytes = this.slice(length);
    try {
      return utf8.decode(bytes);
    } catch {
      throw new FormatError('a text in the pickle is not UTF-8');
    }
  }
}

/**
 * Counter-based random numbers: Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1,
 * 2, 3" (2011). A value depends on (seed, stream, index, a, b), never on the order of calls, so any part of a sequence
 * can be drawn alone, again, or elsewhere.
 *
 * Reimplementing it: word i of (seed, stream, a, b) is word i mod 4 of philox(counter, key) with
 *   counter = (floor(i / 4), 0, a, b) and key = (seed, FNV-1a hash of the UTF-8 bytes of the stream's name),
 * all unsigned 32 bit. Each method below states how it turns words into values; arithmetic is in float64.
 */

/** One Philox4x32-10 block: four uint32 words into `out` from a counter of four words and a key of two. */
export function philox(out: Uint32Array, c0: number, c1: number, c2: number, c3: number, k0: number, k1: number): void {
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(0xd251, 0x1f53, c0);
    const high1 = multiplyHigh(0xcd9e, 0x8d57, c2);
    const low0 = Math.imul(0xd2511f53, c0);
    const low1 = Math.imul(0xcd9e8d57, c2);
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 = (k0 + 0x9e3779b9) | 0;
    k1 = (k1 + 0xbb67ae85) | 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/** High 32 bits of the 64-bit product (high · 2^16 + low) · x, from four products of 16 bits. */
function multiplyHigh(high: number, low: number, x: number): number {
  const xHigh = x >>> 16;
  const xLow = x & 0xffff;
  const middle = (Math.imul(high, xLow) + (Math.imul(low, xLow) >>> 16)) | 0;
  const carry = (Math.imul(low, xHigh) + (middle & 0xffff)) >>> 16;
  return (Math.imul(high, xHigh) + (middle >>> 16) + carry) | 0;
}

/** 32-bit FNV-1a hash of the UTF-8 bytes of a text. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text, 'utf8')) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** The largest float32 below `x`. */
function float32Below(x: number): number {
  const value = new Float32Array([x]);
  if (value[0]! < x) return value[0]!;
  if (value[0] === 0) return -(2 ** -149);
  const bits = new Int32Array(value.buffer);
  bits[0]! += value[0]! > 0 ? -1 : 1;
  return value[0]!;
}

/**
 * A named stream of random values. Coordinates `a` and `b` (uint32, for instance epoch and example) select independent
 * sequences of the same stream. All methods read the same words: use different streams or coordinates for different
 * purposes.
 */
export class Random {
  private readonly k0: number;
  private readonly k1: number;
  private readonly words = new Uint32Array(4);

  /** `seed`: an integer from 0 to 2^32 − 1. */
  constructor(seed: number, stream: string) {
    if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff) {
      throw new Error(`Random: seed must be an integer from 0 to 4294967295, got ${seed}`);
    }
    this.k0 = seed | 0;
    this.k1 = fnv1a(stream) | 0;
  }

  /** The four words of block `block`, in an array that every call reuses. */
  private block(block: number, a: number, b: number): Uint32Array {
    philox(this.words, block | 0, 0, a | 0, b | 0, this.k0, this.k1);
    return this.words;
  }

  /**
   * Fills with uniform values of [low, high): element i is float32(low + (high − low) · (word i >>> 8) · 2^−24), or the
   * largest float32 below `high` if that rounds to `high`.
   */
  fillUniform(out: Float32Array, low: number, high: number, a = 0, b = 0): void {
    const scale = high - low;
    const largest = high > low ? float32Below(high) : high;
    // The last block may reach past the end, where a typed array ignores what is written.
    for (let i = 0; i < out.length; i += 4) {
      const words = this.block(i / 4, a, b);
      for (let j = 0; j < 4; j++) out[i + j] = Math.min(low + scale * ((words[j]! >>> 8) * 2 ** -24), largest);
    }
  }

  /**
   * Fills with normal values (Box and Muller 1958). For even i, with u = (word i + 1) · 2^−32, v = word i+1 · 2^−32 and
   * r = √(−2 ln u): element i is float32(mean + std · r cos 2πv), element i+1 is float32(mean + std · r sin 2πv).
   */
  fillNormal(out: Float32Array, mean: number, std: number, a = 0, b = 0): void {
    for (let i = 0; i < out.length; i += 4) {
      const words = this.block(i / 4, a, b);
      for (let j = 0; j < 4; j += 2) {
        const radius = std * Math.sqrt(-2 * Math.log((words[j]! + 1) * 2 ** -32));
        const angle = 2 * Math.PI * (words[j + 1]! * 2 ** -32);
        out[i + j] = mean + radius * Math.cos(angle);
        out[i + j + 1] = mean + radius * Math.sin(angle);
      }
    }
  }

  /** Value `index` of the uniform distribution on [0, 1), with 32 bits: word · 2^−32. */
  uniform(index: number, a = 0, b = 0): number {
    return this.block(Math.floor(index / 4), a, b)[index % 4]! * 2 ** -32;
  }

  /** Value `index` of the integers 0 … bound − 1, bound ≤ 2^32: floor(bound · word · 2^−32). */
  integer(bound: number, index: number, a = 0, b = 0): number {
    return Math.floor(bound * this.uniform(index, a, b));
  }

  /** A permutation of 0 … n − 1 (Fisher–Yates): from the identity, for i = n − 1 … 1, swap i with integer(i + 1, i, a). */
  permutation(n: number, a = 0): Uint32Array {
    const order = Uint32Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = this.integer(i + 1, i, a);
      const swapped = order[i]!;
      order[i] = order[j]!;
      order[j] = swapped;
    }
    return order;
  }
}

/**
 * Bilinear resampling with a triangle filter that widens for downscaling, bit-identical to the Python Imaging Library
 * (Pillow 9, libImaging/Resample.c): a pixel is Σ w(i) x(i) / Σ w(i), w(i) = max(0, 1 − |i + ½ − center| / max(1,
 * scale)), in 22-bit fixed point, first along the rows, then along the columns.
 */
import type { ImageShape, Region } from '../dataset';
import type { Picture, PictureSize } from './picture';

const BITS = 22;
const HALF = 2 ** (BITS - 1);

/**
 * The weights of the output pixels of a line: `count` values from `first[i]` on, weighted by `weights[i · count …]` ·
 * 2⁻²².
 */
interface Taps {
  readonly first: Int32Array;
  readonly count: number;
  readonly weights: Int32Array;
}

/** Resizes a region of an image in planes to the size of the image. */
export function resized(image: Uint8Array, [channels, height, width]: ImageShape, region: Region): Uint8Array {
  const across = taps(region.width, width);
  const down = taps(region.height, height);
  const out = new Uint8Array(image.length);
  const rows = new Uint8Array(region.height * width);
  for (let channel = 0; channel < channels; channel++) {
    const from = channel * height * width + region.top * width + region.left;
    for (let y = 0; y < region.height; y++) alongLine(image, from + y * width, rows, y * width, across);
    acrossLines(rows, width, out, channel * height * width, down);
  }
  return out;
}

/** Resizes a picture. */
export function resizedPixels(
  { pixels, height, width }: Picture,
  { height: newHeight, width: newWidth }: PictureSize,
): Uint8Array {
  if (newHeight === height && newWidth === width) return pixels;
  const across = taps(width, newWidth);
  const rows = new Uint8Array(height * newWidth * 3);
  for (let y = 0; y < height; y++) alongPixels(pixels, y * width * 3, rows, y * newWidth * 3, across);
  const out = new Uint8Array(newHeight * newWidth * 3);
  acrossLines(rows, newWidth * 3, out, 0, taps(height, newHeight));
  return out;
}

/** Resamples a line of a plane. */
function alongLine(values: Uint8Array, from: number, out: Uint8Array, to: number, taps: Taps): void {
  const { first, count, weights } = taps;
  for (let x = 0; x < first.length; x++) {
    let sum = HALF;
    for (let i = x * count, at = from + first[x]!; i < (x + 1) * count; i++, at++) sum += weights[i]! * values[at]!;
    out[to + x] = sum >> BITS;
  }
}

/** Resamples a line of interleaved RGB pixels. */
function alongPixels(values: Uint8Array, from: number, out: Uint8Array, to: number, taps: Taps): void {
  const { first, count, weights } = taps;
  for (let x = 0; x < first.length; x++) {
    let red = HALF;
    let green = HALF;
    let blue = HALF;
    for (let i = x * count, at = from + 3 * first[x]!; i < (x + 1) * count; i++, at += 3) {
      const weight = weights[i]!;
      red += weight * values[at]!;
      green += weight * values[at + 1]!;
      blue += weight * values[at + 2]!;
    }
    out[to + 3 * x] = red >> BITS;
    out[to + 3 * x + 1] = green >> BITS;
    out[to + 3 * x + 2] = blue >> BITS;
  }
}

/** Resamples along columns, for a line of `length` values. */
function acrossLines(
  values: Uint8Array,
  length: number,
  out: Uint8Array,
  to: number,
  { first, count, weights }: Taps,
): void {
  const sums = new Int32Array(length);
  for (let y = 0; y < first.length; y++) {
    sums.fill(HALF);
    for (let i = 0; i < count; i++) {
      const weight = weights[y * count + i]!;
      if (weight === 0) continue;
      const from = (first[y]! + i) * length;
      for (let x = 0; x < length; x++) sums[x]! += weight * values[from + x]!;
    }
    for (let x = 0; x < length; x++) out[to + y * length + x] = sums[x]! >> BITS;
  }
}

/** The weights of `from` input pixels for each of `to` output pixels. */
function taps(from: number, to: number): Taps {
  const scale = from / to;
  const reach = Math.max(1, scale);
  // As many for each pixel, so that those at the ends begin further in, with weights of 0.
  const count = Math.min(from, 2 * Math.ceil(reach) + 1);
  const starts = new Int32Array(to);
  const weights = new Int32Array(to * count);
  for (let place = 0; place < to; place++) {
    const center = (place + 0.5) * scale;
    const first = Math.max(0, Math.floor(center - reach + 0.5));
    const last = Math.min(from, Math.floor(center + reach + 0.5));
    const own = Array.from({ length: last - first }, (_, i) =>
      Math.max(0, 1 - Math.abs((first + i - center + 0.5) / reach)),
    );
    const sum = own.reduce((total, weight) => total + weight, 0);
    const start = Math.min(first, from - count);
    starts[place] = start;
    own.forEach((weight, i) => {
      weights[place * count + first - start + i] = Math.floor(0.5 + (weight / sum) * 2 ** BITS);
    });
  }
  return { first: starts, count, weights };
}

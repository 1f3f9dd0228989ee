/**
 * Bilinear resampling with a triangle filter that is as wide as a reduction asks for, to the bit of the Python Imaging Library
 * (Pillow 9, libImaging/Resample.c): a pixel is Σ w(i) x(i) / Σ w(i), w(i) = max(0, 1 − |i + ½ − centre| / max(1, scale)), in
 * 22-bit fixed point, first along the rows, then along the columns.
 */
import type { ImageShape, Region } from '../dataset';

const BITS = 22;
const HALF = 2 ** (BITS - 1);

/** The pixels that an output pixel is made of, from `first` on, and their weights · 2²². */
interface Taps {
  readonly first: number;
  readonly weights: Int32Array;
}

/** A region of an image, brought to the size of the image. */
export function resized(image: Uint8Array, [channels, height, width]: ImageShape, region: Region): Uint8Array {
  const across = taps(region.width, width);
  const down = taps(region.height, height);
  const out = new Uint8Array(image.length);
  const rows = new Uint8Array(region.height * width);
  for (let channel = 0; channel < channels; channel++) {
    const from = channel * height * width + region.top * width + region.left;
    for (let y = 0; y < region.height; y++) {
      across.forEach((tap, x) => (rows[y * width + x] = weighted(image, from + y * width, 1, tap)));
    }
    down.forEach((tap, y) => {
      const to = (channel * height + y) * width;
      for (let x = 0; x < width; x++) out[to + x] = weighted(rows, x, width, tap);
    });
  }
  return out;
}

function weighted(values: Uint8Array, from: number, step: number, { first, weights }: Taps): number {
  let sum = HALF;
  for (let i = 0, at = from + first * step; i < weights.length; i++, at += step) sum += weights[i]! * values[at]!;
  return Math.min(255, sum >> BITS);
}

/** For each of `to` output pixels, what it takes of `from` input pixels. */
function taps(from: number, to: number): Taps[] {
  const scale = from / to;
  const reach = Math.max(1, scale);
  return Array.from({ length: to }, (_, place) => {
    const centre = (place + 0.5) * scale;
    const first = Math.max(0, Math.floor(centre - reach + 0.5));
    const last = Math.min(from, Math.floor(centre + reach + 0.5));
    const weights = Array.from({ length: last - first }, (__, i) =>
      Math.max(0, 1 - Math.abs((first + i - centre + 0.5) / reach)),
    );
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return { first, weights: Int32Array.from(weights, (weight) => Math.floor(0.5 + (weight / sum) * 2 ** BITS)) };
  });
}

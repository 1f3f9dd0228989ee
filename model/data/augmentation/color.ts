/**
 * Color operations, bit-identical to the Python Imaging Library (Pillow 9, ImageOps and ImageEnhance), for which
 * AutoAugment's policies were searched. Images are uint8 values, channels first; gray ones have one channel.
 */
import type { ImageShape } from '../dataset';

/** 255 − x */
export function invert(image: Uint8Array): Uint8Array {
  return image.map((value) => 255 - value);
}

/** Inverts values from `threshold` upwards. */
export function solarize(image: Uint8Array, threshold: number): Uint8Array {
  return image.map((value) => (value < threshold ? value : 255 - value));
}

/** Keeps the `bits` highest bits of each value. */
export function posterize(image: Uint8Array, bits: number): Uint8Array {
  const mask = 256 - 2 ** (8 - bits);
  return image.map((value) => value & mask);
}

/** Stretches each channel linearly, so that its smallest value becomes 0 and its largest 255. */
export function autocontrast(image: Uint8Array, shape: ImageShape): Uint8Array {
  return byTables(image, shape, (counts) => {
    const low = counts.findIndex((count) => count > 0);
    const high = counts.findLastIndex((count) => count > 0);
    const scale = 255 / (high - low);
    const offset = -low * scale;
    return high <= low ? undefined : (value) => Math.trunc(value * scale + offset);
  });
}

/** Equalizes the histogram of each channel: value v becomes (step/2 + number of pixels below v) / step. */
export function equalize(image: Uint8Array, shape: ImageShape): Uint8Array {
  return byTables(image, shape, (counts) => {
    const last = counts.findLast((count) => count > 0)!;
    const step = Math.floor((shape[1] * shape[2] - last) / 255);
    if (step === 0) return undefined;
    let below = Math.floor(step / 2);
    const table = Array.from(counts, (count) => {
      const value = Math.floor(below / step);
      below += count;
      return value;
    });
    return (value) => table[value]!;
  });
}

/** From black at 0 over the image itself at 1 to a brighter one. */
export function brightness(image: Uint8Array, factor: number): Uint8Array {
  return blend(new Uint8Array(image.length), image, factor);
}

/** From the image's mean gray at 0 over the image itself at 1 to more contrast. */
export function contrast(image: Uint8Array, shape: ImageShape, factor: number): Uint8Array {
  const gray = luminance(image, shape);
  const mean = Math.trunc(gray.reduce((total, value) => total + value, 0) / gray.length + 0.5);
  return blend(new Uint8Array(image.length).fill(mean), image, factor);
}

/** From shades of gray at 0 over the image itself at 1 to stronger colors. */
export function color(image: Uint8Array, shape: ImageShape, factor: number): Uint8Array {
  const gray = luminance(image, shape);
  const grays = new Uint8Array(image.length);
  for (let start = 0; start < grays.length; start += gray.length) grays.set(gray, start);
  return blend(grays, image, factor);
}

/** From a smoothed image at 0 over the image itself at 1 to a sharper one. */
export function sharpness(image: Uint8Array, shape: ImageShape, factor: number): Uint8Array {
  return blend(smoothed(image, shape), image, factor);
}

/** The mean of a pixel and its eight neighbors, itself counting 5 times; the border stays as it is. */
function smoothed(image: Uint8Array, [channels, height, width]: ImageShape): Uint8Array {
  const out = image.slice();
  for (let channel = 0; channel < channels; channel++) {
    for (let y = 1; y < height - 1; y++) {
      for (let x = 1; x < width - 1; x++) {
        const at = (channel * height + y) * width + x;
        let total = 4 * image[at]!;
        for (const row of [at - width, at, at + width]) total += image[row - 1]! + image[row]! + image[row + 1]!;
        out[at] = Math.floor(total / 13 + 0.5);
      }
    }
  }
  return out;
}

/** ITU-R 601: (299 R + 587 G + 114 B) / 1000, in 16-bit fixed point. */
function luminance(image: Uint8Array, [channels, height, width]: ImageShape): Uint8Array {
  const plane = height * width;
  if (channels !== 3) return image.slice(0, plane);
  const gray = new Uint8Array(plane);
  for (let i = 0; i < plane; i++) {
    gray[i] = (image[i]! * 19595 + image[plane + i]! * 38470 + image[2 * plane + i]! * 7471 + 0x8000) >> 16;
  }
  return gray;
}

/** from + factor · (to − from) in float32, cut to 0 … 255 and truncated. */
function blend(from: Uint8Array, to: Uint8Array, factor: number): Uint8Array {
  const single = Math.fround(factor);
  const out = new Uint8Array(to.length);
  for (let i = 0; i < out.length; i++) {
    const start = from[i]!;
    out[i] = Math.min(255, Math.max(0, Math.fround(start + Math.fround(single * (to[i]! - start)))));
  }
  return out;
}

/** Each channel through a table of its own, made from how often its values occur; without one it stays as it is. */
function byTables(
  image: Uint8Array,
  [, height, width]: ImageShape,
  tableOf: (counts: Uint32Array) => ((value: number) => number) | undefined,
): Uint8Array {
  const out = image.slice();
  for (let from = 0; from < image.length; from += height * width) {
    const channel = image.subarray(from, from + height * width);
    const counts = new Uint32Array(256);
    for (const value of channel) counts[value]!++;
    const table = tableOf(counts);
    if (table) channel.forEach((value, i) => (out[from + i] = Math.min(255, Math.max(0, table(value)))));
  }
  return out;
}

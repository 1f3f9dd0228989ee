/**
 * Shears, translations and rotations, bit-identical to the Python Imaging Library (Pillow 9, libImaging/Geometry.c). An
 * output pixel (x, y) shows the input at (a x + b y + c, d x + e y + f), relative to pixel centers; outside of the
 * image it is gray.
 */
import type { ImageShape } from '../dataset';
import { GREY } from './box';

/** x + shear · y, by bicubic interpolation. */
export function shearX(image: Uint8Array, shape: ImageShape, shear: number): Uint8Array {
  return bicubic(image, shape, (x, y) => [x + 0.5 + shear * (y + 0.5), y + 0.5]);
}

/** y + shear · x, by bicubic interpolation. */
export function shearY(image: Uint8Array, shape: ImageShape, shear: number): Uint8Array {
  return bicubic(image, shape, (x, y) => [x + 0.5, shear * (x + 0.5) + (y + 0.5)]);
}

/** Translation to the left by a fraction of the width, to the nearest pixel. */
export function translateX(image: Uint8Array, shape: ImageShape, share: number): Uint8Array {
  return nearest(image, shape, (x, y) => [Math.floor(share * shape[2] + 0.5 + x), y]);
}

/** Translation upwards by a fraction of the height, to the nearest pixel. */
export function translateY(image: Uint8Array, shape: ImageShape, share: number): Uint8Array {
  return nearest(image, shape, (x, y) => [x, Math.floor(share * shape[1] + 0.5 + y)]);
}

/** Counter-clockwise rotation about the center by an angle in degrees, to the nearest pixel, in 16-bit fixed point. */
export function rotate(image: Uint8Array, shape: ImageShape, degrees: number): Uint8Array {
  if (degrees === 0) return image;
  const [, height, width] = shape;
  const radians = (-degrees * Math.PI) / 180;
  const [cos, sin] = [Math.cos(radians), Math.sin(radians)];
  const center = (along: number, across: number) => cos * -along + across;
  const fixed = (value: number) => Math.floor(value * 65536 + 0.5);
  const offsetX = center(width / 2, sin * (-height / 2)) + width / 2;
  const offsetY = center(height / 2, -sin * (-width / 2)) + height / 2;
  const startX = fixed(offsetX + cos * 0.5 + sin * 0.5);
  const startY = fixed(offsetY - sin * 0.5 + cos * 0.5);
  return nearest(image, shape, (x, y) => [
    (startX + fixed(cos) * x + fixed(sin) * y) >> 16,
    (startY + fixed(-sin) * x + fixed(cos) * y) >> 16,
  ]);
}

type Place = readonly [x: number, y: number];

/** Every output pixel shows the input pixel at `source`. */
function nearest(
  image: Uint8Array,
  [channels, height, width]: ImageShape,
  source: (x: number, y: number) => Place,
): Uint8Array {
  const out = new Uint8Array(image.length).fill(GREY);
  const plane = height * width;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [fromX, fromY] = source(x, y);
      if (fromX < 0 || fromX >= width || fromY < 0 || fromY >= height) continue;
      for (let channel = 0; channel < channels; channel++) {
        out[channel * plane + y * width + x] = image[channel * plane + fromY * width + fromX]!;
      }
    }
  }
  return out;
}

/**
 * Every output pixel is interpolated at `source` from 4×4 input pixels by cubics with a = −1 (the library's own
 * choice), replicating the pixels at the border; clipped to 0 … 255 and truncated.
 */
function bicubic(
  image: Uint8Array,
  [channels, height, width]: ImageShape,
  source: (x: number, y: number) => Place,
): Uint8Array {
  const out = new Uint8Array(image.length).fill(GREY);
  const plane = height * width;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [fromX, fromY] = source(x, y);
      if (fromX < 0 || fromX >= width || fromY < 0 || fromY >= height) continue;
      const [left, top] = [Math.floor(fromX - 0.5), Math.floor(fromY - 0.5)];
      const [restX, restY] = [fromX - 0.5 - left, fromY - 0.5 - top];
      const columns = [-1, 0, 1, 2].map((i) => Math.min(width - 1, Math.max(0, left + i)));
      const rows = [-1, 0, 1, 2].map((i) => Math.min(height - 1, Math.max(0, top + i)));
      for (let channel = 0; channel < channels; channel++) {
        const [a, b, c, d] = rows.map((row) => {
          const [p, q, r, s] = columns.map((column) => image[channel * plane + row * width + column]!);
          return cubic(p!, q!, r!, s!, restX);
        });
        const value = cubic(a!, b!, c!, d!, restY);
        out[channel * plane + y * width + x] = Math.min(255, Math.max(0, value));
      }
    }
  }
  return out;
}

/** Between b at t = 0 and c at t = 1. */
function cubic(a: number, b: number, c: number, d: number, t: number): number {
  return b + t * (-a + c + t * (2 * (a - b) + c - d + t * (-a + b - c + d)));
}

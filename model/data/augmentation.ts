/**
 * Training augmentation of CIFAR: pad with 4 black pixels on every side, cut out a window of the original size at
 * random, flip it left to right with probability 1/2 (He et al., "Deep residual learning for image recognition", 2015,
 * section 4.2). A pure function of (seed, epoch, example), so a teacher can be shown the same pixels at any time.
 */
import { Random } from '../../utils/random';
import type { ImageShape } from './dataset';

export const padding = 4;

/** The window's upper left corner in the padded image, from 0 to 2 · padding, and whether it is flipped. */
export interface Window {
  readonly top: number;
  readonly left: number;
  readonly flip: boolean;
}

/** The window that example number `example` is seen through in epoch `epoch`. */
export function drawWindow(random: Random, epoch: number, example: number): Window {
  return {
    top: random.integer(2 * padding + 1, 0, epoch, example),
    left: random.integer(2 * padding + 1, 1, epoch, example),
    flip: random.integer(2, 2, epoch, example) === 1,
  };
}

/** Writes image `source[from …]` of `shape`, seen through a window, to `out[to …]`. */
export function cropAndFlip(
  out: Uint8Array,
  to: number,
  source: Uint8Array,
  from: number,
  [channels, height, width]: ImageShape,
  { top, left, flip }: Window,
): void {
  // Column x of the window is column first + step · x of the source; it lies inside for begin ≤ x < end.
  const step = flip ? -1 : 1;
  const first = flip ? width - 1 + left - padding : left - padding;
  const shift = flip ? left - padding : padding - left;
  const begin = Math.min(width, Math.max(0, shift));
  const end = Math.max(begin, Math.min(width, width + shift));
  for (let channel = 0; channel < channels; channel++) {
    for (let y = 0; y < height; y++) {
      const sourceY = y + top - padding;
      const inside = sourceY >= 0 && sourceY < height;
      const outRow = to + (channel * height + y) * width;
      const sourceRow = from + (channel * height + sourceY) * width + first;
      const rowBegin = inside ? begin : width;
      const rowEnd = inside ? end : width;
      for (let x = 0; x < rowBegin; x++) out[outRow + x] = 0;
      for (let x = rowBegin; x < rowEnd; x++) out[outRow + x] = source[sourceRow + step * x]!;
      for (let x = rowEnd; x < width; x++) out[outRow + x] = 0;
    }
  }
}

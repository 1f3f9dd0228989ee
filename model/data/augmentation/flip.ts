/** Random horizontal flip (He et al., "Deep residual learning for image recognition", 2015). */
import type { ImageShape } from '../dataset';
import type { Augmentation } from './augmentation';

/** The mirror image, left to right. */
export function flipped(source: Uint8Array, [, , width]: ImageShape): Uint8Array {
  const out = new Uint8Array(source.length);
  for (let row = 0; row < source.length; row += width) {
    for (let x = 0; x < width; x++) out[row + x] = source[row + width - 1 - x]!;
  }
  return out;
}

export const flip: Augmentation = {
  title: 'Horizontal flip with probability 1/2 (He et al. 2015)',
  options: {},
  apply: (image, shape, draw) => (draw.integer(2, 2) === 1 ? flipped(image, shape) : image),
};

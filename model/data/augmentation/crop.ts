/**
 * Random crop of CIFAR: pad with 4 black pixels on every side and cut out a window of the original size (He et al.,
 * "Deep residual learning for image recognition", 2015, section 4.2).
 */
import type { ImageShape } from '../dataset';
import type { Augmentation } from './augmentation';

const padding = 4;

/** The window whose upper left corner is at (`top`, `left`) of the padded image, each from 0 to 2 · padding. */
export function cropped(
  source: Uint8Array,
  [channels, height, width]: ImageShape,
  { top, left }: { readonly top: number; readonly left: number },
): Uint8Array {
  const out = new Uint8Array(source.length);
  const begin = Math.max(0, padding - left);
  const end = Math.max(begin, Math.min(width, width + padding - left));
  const shift = left - padding;
  for (let channel = 0; channel < channels; channel++) {
    for (let y = 0; y < height; y++) {
      const sourceY = y + top - padding;
      if (sourceY < 0 || sourceY >= height) continue;
      const outRow = (channel * height + y) * width;
      const sourceRow = (channel * height + sourceY) * width + shift;
      for (let x = begin; x < end; x++) out[outRow + x] = source[sourceRow + x]!;
    }
  }
  return out;
}

export const crop: Augmentation = {
  title: 'Random crop of the image padded with 4 black pixels (He et al. 2015)',
  options: {},
  apply(image, shape, draw) {
    const places = 2 * padding + 1;
    return cropped(image, shape, { top: draw.integer(places, 0), left: draw.integer(places, 1) });
  },
};

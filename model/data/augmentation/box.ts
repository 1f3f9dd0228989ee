/** A rectangle of an image to be replaced. */
import type { ImageShape } from '../dataset';

/** Rows top … bottom − 1, columns left … right − 1. */
export interface Box {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

/** Fill value outside of an image or under a box: near the mean of natural images, so near 0 after normalization. */
export const GREY = 128;

/** A copy of the image in which the values in the box are `value` of their array index. */
export function filled(
  image: Uint8Array,
  [channels, height, width]: ImageShape,
  { top, bottom, left, right }: Box,
  value: (place: number) => number,
): Uint8Array {
  const out = image.slice();
  for (let channel = 0; channel < channels; channel++) {
    for (let y = top; y < bottom; y++) {
      const row = (channel * height + y) * width;
      for (let place = row + left; place < row + right; place++) out[place] = value(place);
    }
  }
  return out;
}

/** A rectangle of an image that is filled with something else. */
import type { ImageShape } from '../dataset';

/** Rows top … bottom − 1, columns left … right − 1. */
export interface Box {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

/** What stands where an image ends or is covered: near the mean of natural images, and so near 0 once normalized. */
export const GREY = 128;

/** A copy of the image in which the box has the values that `value` gives for places in the array. */
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

/** A decoded image, and its maximum size. */

export interface PictureSize {
  readonly height: number;
  readonly width: number;
}

/** Pixels row by row, RGB interleaved. */
export interface Picture extends PictureSize {
  readonly pixels: Uint8Array;
}

/** Bytes of the pixels of a picture of this size. */
export function pictureBytes({ height, width }: PictureSize): number {
  return 3 * height * width;
}

const MAX_PIXELS = 2 ** 28;

/** Throws an Error if an image has no pixels or too many. */
export function checkedSize(width: number, height: number): void {
  if (width < 1 || height < 1) throw new Error(`it has ${width} × ${height} pixels`);
  if (width * height > MAX_PIXELS) {
    throw new Error(`it has ${width} × ${height} pixels, accepted are up to ${MAX_PIXELS} in total`);
  }
}

/** A decoded image, and how large one may be. */

/** Pixels in rows, red, green and blue side by side. */
export interface Picture {
  readonly pixels: Uint8Array;
  readonly height: number;
  readonly width: number;
}

const MAX_PIXELS = 2 ** 28;

/** Throws an Error where an image would have no pixels or too many. */
export function checkedSize(width: number, height: number): void {
  if (width < 1 || height < 1) throw new Error(`it has ${width} × ${height} pixels`);
  if (width * height > MAX_PIXELS) {
    throw new Error(`it has ${width} × ${height} pixels, accepted are ${MAX_PIXELS} in all`);
  }
}

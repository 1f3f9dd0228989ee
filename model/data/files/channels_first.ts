/** Converts interleaved RGB to one plane per color, for each image of `plane` pixels. */
export function channelsFirst(pixels: Uint8Array, plane: number): Uint8Array {
  const out = new Uint8Array(pixels.length);
  for (let start = 0; start < pixels.length; start += 3 * plane) {
    for (let i = 0, from = start, to = start; i < plane; i++, from += 3, to++) {
      out[to] = pixels[from]!;
      out[to + plane] = pixels[from + 1]!;
      out[to + 2 * plane] = pixels[from + 2]!;
    }
  }
  return out;
}

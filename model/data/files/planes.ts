/** Square planes that a file has column by column. */

/** Makes planes of `side` × `side` that follow one another lie row by row, where they are. */
export function transposePlanes(images: Uint8Array, side: number): void {
  for (let start = 0; start < images.length; start += side * side) {
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < y; x++) {
        const [here, there] = [start + y * side + x, start + x * side + y];
        const value = images[here]!;
        images[here] = images[there]!;
        images[there] = value;
      }
    }
  }
}

/** Square planes stored in column-major order. */

/** Transposes consecutive planes of `side` × `side` in place. */
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

/** A choice of positions that leaves out no part of a list, since data sets are often sorted by class. */

/** Up to `most` of the positions 0 … count − 1, evenly spaced. */
export function evenlySpaced(count: number, most: number): Uint32Array {
  const size = Math.min(most, count);
  return Uint32Array.from({ length: size }, (_, i) => Math.floor((i * count) / size));
}

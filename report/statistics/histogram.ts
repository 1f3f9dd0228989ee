/** Counts of values in bins of equal width. */

/** How many values lie in each of `bins` parts of [low, high]; values outside, and those that are no numbers, count in none. */
export function histogram(values: ArrayLike<number>, low: number, high: number, bins: number): number[] {
  const counts = Array<number>(bins).fill(0);
  for (let i = 0; i < values.length; i++) {
    const place = Math.floor(((values[i]! - low) / (high - low)) * bins);
    // The upper end belongs to the last bin.
    if (values[i]! >= low && values[i]! <= high) counts[Math.min(bins - 1, place)]!++;
  }
  return counts;
}

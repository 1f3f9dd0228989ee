/** The known name nearest to a mistyped one, by edit distance (Damerau 1964, Levenshtein 1966). */

/** Fewest insertions, deletions, substitutions and swaps of neighbors (none edited twice) that turn `a` into `b`. */
export function editDistance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const above = rows[i - 1]!;
      const substitution = a[i - 1] === b[j - 1] ? 0 : 1;
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swap = swapped ? rows[i - 2]![j - 2]! + 1 : Infinity;
      row.push(Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + substitution, swap));
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}

/** The name with the smallest edit distance to `word`; undefined if more than a third of either name would change. */
export function nearest(word: string, names: readonly string[]): string | undefined {
  let best: string | undefined;
  let smallest = Infinity;
  for (const name of names) {
    const limit = Math.max(1, Math.floor(name.length / 3));
    if (Math.abs(name.length - word.length) > limit) continue;
    const distance = editDistance(word, name);
    if (distance <= limit && distance < smallest) [best, smallest] = [name, distance];
  }
  return best;
}

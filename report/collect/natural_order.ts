/** Natural sort order of directories: folder by folder, numbers by value. */

/** `items` ordered by a text of theirs: `a/T_2` before `a/T_10`, both after `a` and before `a1` and `a-b`. */
export function sortNaturally<T>(items: readonly T[], textOf: (item: T) => string): T[] {
  const keyed = items.map((item) => ({ item, key: keyOf(textOf(item)) }));
  return keyed.sort((a, b) => compareKeys(a.key, b.key)).map(({ item }) => item);
}

/** Less than 0 if `a` comes first, 0 for equal texts. */
export function compareNaturally(a: string, b: string): number {
  return compareKeys(keyOf(a), keyOf(b));
}

interface Key {
  readonly text: string;
  /** Slashes, numbers and the text between them. */
  readonly parts: readonly (string | number)[];
}

function keyOf(text: string): Key {
  const parts = text.match(/\/|\d+(?:\.\d+)?|[^/\d]+/g) ?? [];
  return { text, parts: parts.map((part) => (/^\d/.test(part) ? Number(part) : part)) };
}

function compareKeys(a: Key, b: Key): number {
  for (let i = 0; i < Math.max(a.parts.length, b.parts.length); i++) {
    const [left, right] = [a.parts[i], b.parts[i]];
    if (left === right) continue;
    return rank(left) - rank(right) || (left! < right! ? -1 : 1);
  }
  return a.text === b.text ? 0 : a.text < b.text ? -1 : 1;
}

/** At the same position the end comes before a slash, a slash before a number, and a number before other text. */
function rank(part: string | number | undefined): number {
  return part === undefined ? 0 : part === '/' ? 1 : typeof part === 'number' ? 2 : 3;
}

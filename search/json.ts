/** JSON values that are compared and named by their content. */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** The JSON text of a value with the keys of its objects sorted: equal texts are equal values. */
export function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value as Record<string, Json>).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, inner]) => `${JSON.stringify(key)}:${canonical(inner)}`).join()}}`;
}

export function isSame(a: Json, b: Json): boolean {
  return a === b || (typeof a === 'object' && typeof b === 'object' && canonical(a) === canonical(b));
}

/** Whether a parsed value has only finite numbers (JSON.parse reads 1e400 as Infinity) and at most `depth` levels. */
export function isTame(value: unknown, depth = 20): value is Json {
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object' || value === null) return true;
  return depth > 0 && Object.values(value).every((inner) => isTame(inner, depth - 1));
}

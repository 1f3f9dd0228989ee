/** Flattens nested JSON to one level of names and plain values, for tables and TensorBoard. */

export type Scalar = string | number | boolean | null;

/** Values by name; a key inside an object is `schedule.gamma`. */
export type Flat = ReadonlyMap<string, Scalar>;

/** The plain values in `object`, in order. A list or an empty object counts as one value: its JSON. */
export function flatten(object: object, separator = '.'): Map<string, Scalar> {
  const flat = new Map<string, Scalar>();
  const visit = (node: object, prefix: string) => {
    for (const [key, value] of Object.entries(node) as [string, unknown][]) {
      if (typeof value !== 'object' || value === null) flat.set(prefix + key, value as Scalar);
      else if (Array.isArray(value) || Object.keys(value).length === 0) flat.set(prefix + key, JSON.stringify(value));
      else visit(value, prefix + key + separator);
    }
  };
  visit(object, '');
  return flat;
}

/**
 * A text that is equal for two sets of params if and only if they differ in nothing but the seed: their runs are
 * repeats.
 */
export function settingOf(params: Flat): string {
  const entries = [...params].filter(([key]) => key !== 'seed');
  return JSON.stringify(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

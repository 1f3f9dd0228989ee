/** Nested JSON as one level of names and plain values, the form that tables and TensorBoard have room for. */

export type Scalar = string | number | boolean | null;

/** Values by name; a key inside an object is `schedule.gamma`. */
export type Flat = ReadonlyMap<string, Scalar>;

/** The plain values in `object`, in their order. A list, and an object without keys, counts as one value: its JSON. */
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

/** A text that two sets of params share exactly where nothing differs but the seed: their runs are repeats. */
export function settingOf(params: Flat): string {
  const entries = [...params].filter(([key]) => key !== 'seed');
  return JSON.stringify(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Numbers as a table shows them. */

/** An accuracy or a loss: four decimals, or three digits if it is small. */
export function metric(value: number): string {
  return value !== 0 && Math.abs(value) < 1e-3 ? value.toPrecision(3) : value.toFixed(4);
}

/** A difference with its sign, four decimals. */
export function signed(value: number): string {
  return `${value < 0 ? '-' : '+'}${Math.abs(value).toFixed(4)}`;
}

/** A p value: four decimals, or `<` the smallest of these. */
export function pValue(value: number): string {
  return value < 1e-4 ? '<0.0001' : value.toFixed(4);
}

/** An integer, or a mean of integers with one decimal. */
export function rounded(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(1);
}

/** A parameter: an integer in full, any other number with up to six digits. */
export function short(value: number): string {
  return String(Number.isInteger(value) ? value : Number(value.toPrecision(6)));
}

/** `269,722`. */
export function grouped(value: number): string {
  return value.toLocaleString('en-US');
}

/** Three digits with a prefix of the SI: `81.1 M`. */
export function compact(value: number): string {
  const power = value >= 1000 ? Math.min(4, Math.floor(Math.log10(value) / 3)) : 0;
  const prefix = ['', ' k', ' M', ' G', ' T'][power]!;
  return `${Number((value / 1000 ** power).toPrecision(3))}${prefix}`;
}

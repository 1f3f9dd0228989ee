/** Formats numbers as NumPy and Python do. */

/** A matrix with `columns` columns as `numpy.savetxt` writes it: `%.18e`, a space between columns, one line per row. */
export function formatSavetxt(values: ArrayLike<number>, columns: number): string {
  const cells = Array.from(values, formatExponential);
  const rows = Array.from({ length: cells.length / columns }, (_, i) => cells.slice(i * columns, (i + 1) * columns));
  return rows.map((row) => `${row.join(' ')}\n`).join('');
}

/**
 * A number in C's format `%.18e`: ties round to even, where JavaScript rounds up, and the exponent has at least two
 * digits.
 */
export function formatExponential(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
  const [digits = '', exponent = ''] = value.toExponential(18).split('e');
  const isTie = /^-?\d\.\d{18}50*e/.test(value.toExponential(100));
  const even = isTie && /[13579]$/.test(digits) ? digits.slice(0, -1) + String(Number(digits.at(-1)) - 1) : digits;
  return `${even}e${exponent[0]}${exponent.slice(1).padStart(2, '0')}`;
}

/** A number as Python prints a float: `20.0`, `4.5`, `1e-05`. */
export function formatPythonFloat(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e16)) {
    const [digits = '', exponent = ''] = value.toExponential().split('e');
    return `${digits}e${exponent[0]}${exponent.slice(1).padStart(2, '0')}`;
  }
  return Number.isInteger(value) ? value.toFixed(1) : String(value);
}

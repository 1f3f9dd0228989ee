/** Comma-separated values (RFC 4180). */
import type { Value } from '../table/columns';
import type { Table } from '../table/table';

/** A line for each run, in the order of the table, with exact values: all, or those of the columns asked for by name. */
export function toCsv({ sections, columns: shown, chosen, allColumns }: Table): string {
  const columns = chosen.length > 0 ? shown : allColumns;
  const runs = sections.flatMap(({ rows }) => rows.flatMap((row) => row.runs.map((run) => ({ run, row }))));
  const lines = runs.map(({ run, row }) => columns.map((column) => field(column.value(run, row))));
  return [columns.map(({ name }) => field(name)), ...lines].map((cells) => `${cells.join()}\r\n`).join('');
}

/**
 * A field, in quotes where it has to be. A text that a spreadsheet would run as a formula gets an apostrophe in front,
 * which such programs take as "this is text"; numbers stay as they are.
 */
function field(value: Value): string {
  if (typeof value !== 'string') return String(value ?? '');
  const text = /^\s*[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

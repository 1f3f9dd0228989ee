/** A table in Markdown (GitHub's extension of CommonMark), aligned so that it reads well as plain text too. */
import type { Column } from '../table/columns';
import type { Row } from '../table/rows';
import type { Table } from '../table/table';

/** The whole table, a heading before each section that has a title, the notes below. */
export function toMarkdown({ columns, sections, notes }: Table): string {
  const parts = sections.flatMap(({ title, rows }) => [
    ...(title === undefined ? [] : [`## ${escape(title)}`]),
    pipeTable(columns, rows),
  ]);
  return `${[...parts, ...notes.map(escape)].join('\n\n')}\n`;
}

function pipeTable(columns: readonly Column[], rows: readonly Row[]): string {
  const cells = columns.map((column) => [column.name, ...rows.map((row) => column.text(row))].map(escape));
  const widths = cells.map((column) => Math.max(4, ...column.map(({ length }) => length)));
  const aligned = cells.map((column, i) =>
    column.map((cell) => (columns[i]!.numeric ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!))),
  );
  const rule = columns.map(({ numeric }, i) =>
    numeric ? `${'-'.repeat(widths[i]! - 1)}:` : `:${'-'.repeat(widths[i]! - 1)}`,
  );
  const line = (row: readonly string[]) => `| ${row.join(' | ')} |`;
  const [head, ...body] = ['', ...rows].map((_, r) => line(aligned.map((column) => column[r]!)));
  return [head, line(rule), ...body].join('\n');
}

/** The text as Markdown shows it: on one line, and nothing in it markup. What can do no harm stays as it is. */
function escape(text: string): string {
  return text
    .replace(/[\p{Cc}\u2028\u2029]+/gu, ' ')
    .replace(/[\\|`<&]|\*(?=\S)|(?<![\p{L}\p{N}])_|~(?=~)|\](?=[([:])/gu, '\\$&');
}

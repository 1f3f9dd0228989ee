/** A table for a terminal: as wide as that is, with colors where it has them. */
import { styleText } from 'node:util';
import { getBorderCharacters, table as drawTable } from 'table';
import { printable } from '../../utils/printable';
import type { Column } from '../table/columns';
import type { Table } from '../table/table';

export interface TerminalOptions {
  /** Maximum characters per line; unlimited by default. */
  readonly width?: number;
  readonly color?: boolean;
}

/** Columns to drop first if there is no space; then all others from the right, except the essential ones. */
const dispensable = [
  ...['flops', 'parameters', 'time', 'val_loss', 'best_epoch', 'test_calibration_error', 'test_loss', 'p_holm'],
];
const indispensable = ['directory', 'val_accuracy', 'test_accuracy', 'status', 'difference', 'verdict'];

/** Space between two cells: a border and a blank on each side. */
const GAP = 3;
/** Characters that a column keeps while others can be left out: at first, while parameters can, and after that. */
const ROOMY = 20;
const COMFORTABLE = 12;
const NARROWEST = 4;

/** What process.stdout can show. */
export function terminalOf(stream: NodeJS.WriteStream): TerminalOptions {
  return stream.isTTY ? { width: stream.columns, color: stream.hasColors() } : {};
}

/** The table with its notes. Drops columns and wraps cells if it is wider than the terminal. */
export function toTerminal(table: Table, { width = Infinity, color = false }: TerminalOptions = {}): string {
  const { columns, leftOut } = fit(table, width);
  const cellOf = (column: Column, text: string) => (color ? colored(column.name, oneLine(text)) : oneLine(text));
  const parts = table.sections.map(({ title, rows }) => {
    const cells = [
      columns.map(({ column }) => oneLine(column.name)),
      ...rows.map((row) => columns.map(({ column }) => cellOf(column, column.text(row)))),
    ];
    const drawn = drawTable(cells, {
      border: getBorderCharacters('norc'),
      columns: columns.map(({ column: { numeric }, width }) => ({
        width,
        wrapWord: true,
        alignment: numeric ? 'right' : 'left',
      })),
      drawHorizontalLine: (line, count) => line <= 1 || line === count,
    });
    return title === undefined ? drawn : `${oneLine(title)}\n${drawn}`;
  });
  const remark = leftOut.length > 0 ? [`Columns that do not fit: ${leftOut.join(', ')}.`] : [];
  return [...parts, ...[...table.notes, ...remark].map((note) => `${oneLine(note)}\n`)].join('');
}

/**
 * Columns with widths that fit into `width`; those that were asked for by name all stay. What is the same in all rows goes before
 * what differs, and the accuracy that the best epoch was chosen by before parameters.
 */
function fit(table: Table, width: number): { columns: { column: Column; width: number }[]; leftOut: string[] } {
  const rows = table.sections.flatMap((section) => section.rows);
  const widthOf = (column: Column) =>
    rows.reduce((widest, row) => Math.max(widest, oneLine(column.text(row)).length), column.name.length);
  let columns = table.columns.map((column) => ({ column, width: widthOf(column) }));
  const leftOut: string[] = [];
  const isTooWide = () => columns.reduce((sum, one) => sum + one.width + GAP, 1) > width;
  const leaveOut = (names: readonly string[]) => {
    for (const name of names.filter((one) => !table.chosen.includes(one))) {
      if (!isTooWide()) return;
      if (columns.some(({ column }) => column.name === name)) leftOut.push(name);
      columns = columns.filter(({ column }) => column.name !== name);
    }
  };
  const wrap = (narrowest: number) => {
    while (isTooWide()) {
      const widest = columns.reduce((a, b) => (b.width > a.width ? b : a));
      if (widest.width <= narrowest) return;
      widest.width--;
    }
  };
  const isSame = ({ name, text }: Column) =>
    name !== 'directory' && rows.length > 1 && rows.every((row) => text(row) === text(rows[0]!));
  leaveOut(dispensable);
  leaveOut(columns.flatMap(({ column }) => (isSame(column) ? [column.name] : [])));
  wrap(ROOMY);
  if (columns.some(({ column }) => column.name === 'test_accuracy')) leaveOut(['val_accuracy']);
  wrap(COMFORTABLE);
  const names = columns.map(({ column }) => column.name).reverse();
  leaveOut(names.filter((name) => !indispensable.includes(name)));
  wrap(NARROWEST);
  return { columns, leftOut };
}

/** The text on one line, harmless to a terminal. */
function oneLine(text: string): string {
  return printable(text).replace(/[\n\t]+/g, '�');
}

const colors: Readonly<Record<string, Parameters<typeof styleText>[0]>> = {
  better: 'green',
  worse: 'red',
  broken: 'red',
  failed: 'red',
  running: 'yellow',
  interrupted: 'yellow',
};

/** Colors what a verdict or a status begins with. */
function colored(column: string, text: string): string {
  const color = colors[/^\w*/.exec(text)![0]];
  if ((column !== 'status' && column !== 'verdict') || color === undefined) return text;
  return styleText(color, text, { validateStream: false });
}

/** A table of runs: its columns, the order of its rows, and its notes. */
import { UserError } from '../../utils/errors';
import { nearest } from '../../utils/nearest';
import { compareNaturally } from '../collect/natural_order';
import type { Run } from '../collect/run';
import { compareRows, SIGNIFICANCE, type Baseline } from '../comparison';
import { columnsOf, TEST_MARK, type Column, type Comparisons, type Value } from './columns';
import type { Row } from './rows';

export interface Table {
  /** The columns shown. */
  readonly columns: readonly Column[];
  /** The names of those that the user asked for. */
  readonly chosen: readonly string[];
  /** What there is. */
  readonly allColumns: readonly Column[];
  /** One group without a title, or one for each value of the grouping column. */
  readonly sections: readonly Section[];
  /** Comparisons of rows with the baseline, if one is given. */
  readonly comparisons: Comparisons;
  /** Lines below the table. */
  readonly notes: readonly string[];
}

interface Section {
  /** `method: kd` */
  readonly title?: string;
  readonly rows: readonly Row[];
}

export interface TableOptions {
  /** Names of the columns to show, in this order; `+name` adds one to those named without a sign, or else to the usual ones. */
  readonly columns?: readonly string[];
  /** Columns to sort by, the first before the second; `-name` puts large values first. */
  readonly sort?: readonly string[];
  /** Column by whose values rows are put into sections. */
  readonly groupBy?: string;
  readonly baseline?: Baseline;
}

/** Lays out rows. Throws a UserError for a column that no run has a value for. */
export function makeTable(rows: readonly Row[], options: TableOptions = {}): Table {
  const { columns: wanted, sort = [], groupBy, baseline } = options;
  const comparisons: Comparisons = baseline ? compareRows(rows, baseline) : new Map();
  const allColumns = columnsOf(rows, baseline, comparisons);
  const find = (name: string, flag: string): Column => {
    const names = allColumns.map((column) => column.name);
    const found = allColumns.find((column) => column.name === name);
    if (found) return found;
    const known = nearest(name, names);
    const hint = known === undefined ? `there are ${names.join(', ')}` : `did you mean "${known}"?`;
    throw new UserError(`${flag}: there is no column "${name}"; ${hint}`, 2);
  };
  const named = wanted?.map((name) => find(name.replace(/^\+/, ''), '--columns')) ?? [];
  const isOnly = wanted?.some((name) => !name.startsWith('+')) ?? false;
  const usual = isOnly ? [] : allColumns.filter((column) => column.shown && !named.includes(column));
  const columns = [...usual, ...named];
  const orders = sort.map((name) =>
    name.startsWith('-')
      ? { column: find(name.slice(1), '--sort'), sign: -1 }
      : { column: find(name, '--sort'), sign: 1 },
  );
  const sorted = sortRows(rows, orders);
  const sections = groupBy === undefined ? [{ rows: sorted }] : sectionsBy(find(groupBy, '--group_by'), sorted);
  const notes = notesOn(rows, columns, comparisons, baseline);
  return { columns, chosen: named.map(({ name }) => name), allColumns, sections, comparisons, notes };
}

/** Rows by the values of columns; a row without a value comes last, rows with equal values keep their order. */
function sortRows(rows: readonly Row[], orders: readonly { column: Column; sign: number }[]): Row[] {
  const keyed = rows.map((row) => ({ row, keys: orders.map(({ column }) => column.key(row)) }));
  keyed.sort((a, b) => {
    for (const [i, { sign }] of orders.entries()) {
      const difference = compareValues(a.keys[i], b.keys[i], sign);
      if (difference !== 0) return difference;
    }
    return 0;
  });
  return keyed.map(({ row }) => row);
}

function compareValues(a: Value, b: Value, sign: number): number {
  const isAbsent = (value: Value) => value === undefined || value === null || Number.isNaN(value);
  if (isAbsent(a) || isAbsent(b)) return Number(isAbsent(a)) - Number(isAbsent(b));
  if (typeof a === 'number' && typeof b === 'number') return sign * (a - b);
  return sign * compareNaturally(String(a), String(b));
}

/** Sections in the natural order of the values, each with its rows in the order in which they came. */
function sectionsBy(column: Column, rows: readonly Row[]): Section[] {
  const groups = new Map<Value, Row[]>();
  for (const row of sortRows(rows, [{ column, sign: 1 }])) {
    const value = column.key(row) ?? undefined;
    groups.set(value, [...(groups.get(value) ?? []), row]);
  }
  return [...groups].map(([value, members]) => ({ title: `${column.name}: ${value ?? 'not given'}`, rows: members }));
}

const MAX_ERRORS = 20;

function notesOn(
  rows: readonly Row[],
  columns: readonly Column[],
  comparisons: Comparisons,
  baseline?: Baseline,
): string[] {
  const runs = rows.flatMap((row) => row.runs);
  const isShown = (text: string) => columns.some((column) => rows.some((row) => column.text(row).includes(text)));
  const notes: string[] = [];
  if (isShown(TEST_MARK)) {
    notes.push(
      `${TEST_MARK} The epoch was, or may have been, chosen by this score on the test set: accuracy on new images will be lower.`,
    );
  }
  if (isShown(' ± ')) {
    notes.push('a ± b (n): mean and standard deviation over n runs that differ only in the seed.');
  }
  if (baseline) notes.push(...notesOnComparison(comparisons, baseline));
  const errors = runs.flatMap((run) => run.errors.map(({ file, reason }) => `${pathOf(run, file)}: ${reason}`));
  notes.push(...errors.slice(0, MAX_ERRORS));
  if (errors.length > MAX_ERRORS) notes.push(`and ${errors.length - MAX_ERRORS} more unreadable files.`);
  return notes;
}

function notesOnComparison(comparisons: Comparisons, { row, metric }: Baseline): string[] {
  const tests = [...comparisons.values()].flatMap(({ test }) => test ?? []);
  const corrected = tests.length > 1 ? `, corrected for the ${tests.length} tested rows (Holm 1979),` : '';
  return [
    `difference: ${metric} minus that of ${row.directory}, paired by seed, with its 95 % t interval; ` +
      `better or worse if p of the t test${corrected} is below ${SIGNIFICANCE}.`,
    ...(tests.includes('McNemar')
      ? [
          'For a single pair of runs the interval is a bootstrap over images, and p is from the McNemar test (mid-p): they hold ' +
            'for these two students only, not for other seeds.',
        ]
      : []),
  ];
}

function pathOf({ directory }: Run, file: string): string {
  return directory === '.' ? file : `${directory}/${file}`;
}

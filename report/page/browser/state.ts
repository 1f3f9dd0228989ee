/** What the reader has chosen, and what follows from it. */
import type { Part } from '../charts/curves';
import { MOST_LINES } from '../charts/theme';
import type { PageColumn, PageData } from '../data';
import { makeFilter } from '../filter';
import { BEST_LINES, keysOf, metricsOf, ranked, searchedParams } from '../model';

export class State {
  query = '';
  /** Statuses whose rows are left out. */
  readonly hidden = new Set<string>();
  sort: { readonly name: string; readonly descending: boolean } | undefined;
  /** Ids of rows whose curves are drawn. */
  readonly picked = new Set<string>();
  /** Names of columns that the reader has switched on (true) or off. */
  readonly switched = new Map<string, boolean>();
  part: Part = 'val';
  private readonly names = new Map<string, string>();

  constructor(public data: PageData) {}

  /** The column chosen for a purpose; the one at `fallback` by default. */
  chosen(purpose: string, columns: readonly PageColumn[], fallback = 0): PageColumn | undefined {
    return columns.find(({ name }) => name === this.names.get(purpose)) ?? columns[fallback];
  }

  /** What has been chosen for a purpose. */
  nameOf(purpose: string): string | undefined {
    return this.names.get(purpose);
  }

  choose(purpose: string, name: string): void {
    this.names.set(purpose, name);
  }

  get metric(): PageColumn | undefined {
    const metrics = metricsOf(this.data);
    return this.chosen(
      'metric',
      metrics,
      Math.max(
        0,
        metrics.findIndex(({ name }) => name === 'val_accuracy'),
      ),
    );
  }

  get params(): PageColumn[] {
    return searchedParams(this.data);
  }

  get columns(): PageColumn[] {
    return this.data.columns.filter(({ name, shown }) => this.switched.get(name) ?? shown);
  }

  /** Rows that the filter leaves, in the order of the table. */
  rows(): number[] {
    const { rows, columns } = this.data;
    const passes = makeFilter(this.query, columns);
    const left = rows.map((_, row) => row).filter((row) => !this.hidden.has(rows[row]!.status) && passes(row));
    const column = columns.find(({ name }) => name === this.sort?.name);
    return column ? sorted(left, column, this.sort!.descending) : left;
  }

  /** Rows whose curves are drawn: those that are picked, or else the best that the filter leaves. */
  lines(rows: readonly number[]): number[] {
    const all = this.data.rows;
    const isPicked = (row: number) => this.picked.has(all[row]!.id);
    const picked = all.map((_, row) => row).filter((row) => isPicked(row) && all[row]!.curves);
    if (picked.length > 0) return picked.slice(0, MOST_LINES);
    const order = this.metric ? ranked(this.metric, rows) : [];
    return [...new Set([...order, ...rows])].filter((row) => all[row]!.curves).slice(0, BEST_LINES);
  }
}

const collator = new Intl.Collator('en', { numeric: true });

/** Rows by a column, those without a value last; rows that are equal keep their order. */
function sorted(rows: readonly number[], column: PageColumn, descending: boolean): number[] {
  const keys = keysOf(column);
  const sign = descending ? -1 : 1;
  return [...rows].sort((i, j) => {
    const [a, b] = [keys[i] ?? '', keys[j] ?? ''];
    if (a === '' || b === '') return Number(a === '') - Number(b === '');
    if (typeof a === 'number' && typeof b === 'number') return sign * (a - b);
    return sign * collator.compare(String(a), String(b));
  });
}

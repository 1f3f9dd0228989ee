/**
 * The data of the charts, computed from the data of the page by pure functions, since the page recomputes it for other
 * rows and metrics.
 */
import { median } from '../../utils/median';
import type { Domain } from '../importance';
import type { Goal } from '../pareto';
import type { Key, PageColumn, PageData } from './data';
import type { PagePredictions, PredictedRun } from './predictions';

/** The columns of metrics, by which rows are ranked and colored; that of the search comes first. */
export function metricsOf({ columns }: PageData): PageColumn[] {
  return columns.filter(({ kind, numeric }) => kind === 'metric' && numeric);
}

/** As in a search: a loss or another distance is minimized. */
export function goalOf(metric: string): Goal {
  return /(loss|error|difference)$/.test(metric) ? 'minimize' : 'maximize';
}

/** Params that differ from row to row, `alpha` and `temperature` before the others. */
export function searchedParams({ columns }: PageData): PageColumn[] {
  const first = ['temperature', 'alpha'];
  return columns
    .filter((column) => column.kind === 'param' && column.name !== 'seed')
    .filter((column) => new Set(keysOf(column).filter((key) => key !== null && key !== '')).size > 1)
    .sort((a, b) => first.indexOf(b.name) - first.indexOf(a.name));
}

export function keysOf({ keys, texts }: PageColumn): readonly Key[] {
  return keys ?? texts;
}

/** Those of `rows` that can be compared: finished runs. */
export function finishedRows({ rows: all }: PageData, rows: readonly number[]): number[] {
  return rows.filter((row) => all[row]!.status === 'finished');
}

/** The number of a row in a column; NaN if it has none. */
export function numberAt(column: PageColumn, row: number): number {
  const key = keysOf(column)[row];
  return typeof key === 'number' ? key : NaN;
}

/** `rows` that have the metric, the best first. */
export function ranked(metric: PageColumn, rows: readonly number[]): number[] {
  const sign = goalOf(metric.name) === 'maximize' ? -1 : 1;
  return rows
    .map((row) => ({ row, value: sign * numberAt(metric, row) }))
    .filter(({ value }) => !Number.isNaN(value))
    .sort((a, b) => a.value - b.value)
    .map(({ row }) => row);
}

/** The value of a param in a row; undefined if the row does not have it. */
export function valueAt(column: PageColumn, row: number): string | number | undefined {
  const key = keysOf(column)[row];
  return key === null || key === '' ? undefined : key;
}

/** Where values lie. Positive numbers over two decades or more, most of them in the lowest tenth, go by magnitude. */
export function domainOf(values: readonly (string | number)[]): Domain {
  const numbers = values.filter((value) => typeof value === 'number').sort((a, b) => a - b);
  const [low = 0, high = 0] = [numbers[0], numbers.at(-1)];
  if (numbers.length < values.length || low === high) return { kind: 'choice', choices: inOrder(values) };
  return { kind: 'number', low, high, log: low > 0 && high / low >= 100 && median(numbers) < high / 10 };
}

/**
 * From the worst to the best of some scores, for a scale of colors. Far outliers among the bad ones (Tukey 1977: beyond
 * 1.5 times the distance of the quartiles) share the color at its end, as they would leave none for the others.
 */
export function scoreRange(scores: readonly number[], goal: Goal): readonly [worst: number, best: number] {
  const sign = goal === 'maximize' ? 1 : -1;
  const sorted = scores.map((score) => sign * score).sort((a, b) => a - b);
  const quartile = (k: number) => sorted[Math.floor(((sorted.length - 1) * k) / 4)]!;
  const fence = quartile(1) - 1.5 * (quartile(3) - quartile(1));
  return [sign * sorted.find((score) => score >= fence)!, sign * sorted.at(-1)!];
}

/** The different values: numbers by size, then texts. */
export function inOrder(values: readonly (string | number)[]): (string | number)[] {
  const collator = new Intl.Collator('en', { numeric: true });
  return [...new Set(values)].sort((a, b) =>
    typeof a === 'number' && typeof b === 'number' ? a - b : collator.compare(String(a), String(b)),
  );
}

/**
 * The runs of these directories, or else the best one without a teacher and the best one with a teacher; two of a kind where
 * there is no other, and one where there is no more.
 */
export function comparedRuns(
  { runs }: Pick<PagePredictions, 'runs'>,
  [first, second]: readonly [string?, string?] = [],
): readonly [PredictedRun, PredictedRun | undefined] {
  const called = (name: string | undefined) => runs.find(({ directory }) => directory === name);
  const a = called(first) ?? runs.find(({ isTaught }) => !isTaught) ?? runs[1] ?? runs[0]!;
  const others = runs.filter((run) => run !== a);
  return [a, called(second) ?? others.find(({ isTaught }) => isTaught) ?? others[0]];
}

/** Lines that are drawn where the reader has not chosen any. */
export const BEST_LINES = 6;

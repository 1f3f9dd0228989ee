/** The data of the page, as plain JSON. */
import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { runFiles } from '../../runs/files';
import { readJson } from '../../utils/files';
import type { Scalar } from '../../utils/flatten';
import { failureReasons } from '../collect/endings';
import { methodOf } from '../collect/method';
import type { Run, Status } from '../collect/run';
import type { Column, Value } from '../table/columns';
import { statisticOf, type Row } from '../table/rows';
import type { Table } from '../table/table';
import { pagePredictions, type PagePredictions } from './predictions';

export interface PageData {
  /** Name of the directory. */
  readonly title: string;
  readonly columns: readonly PageColumn[];
  readonly rows: readonly PageRow[];
  readonly runs: number;
  /** Lines below the table. */
  readonly notes: readonly string[];
  /** Params that are the same for all runs. */
  readonly shared: readonly { readonly name: string; readonly text: string }[];
  readonly environment: readonly EnvironmentEntry[];
  readonly failures: readonly Failure[];
  /** Rows that have curves, and those whose curves are here: the first ones, where all would be too much. */
  readonly curves: { readonly had: number; readonly kept: number };
  /** What runs predict for the test images, if some have kept that. */
  readonly predictions?: PagePredictions;
}

export interface PageColumn {
  readonly name: string;
  readonly kind: 'param' | 'metric' | 'cost' | 'other';
  /** Whether it is shown at first. */
  readonly shown: boolean;
  readonly numeric: boolean;
  /** What each row shows. */
  readonly texts: readonly string[];
  /** The value for sorting, comparing and drawing; the mean of repeats. Omitted if it equals the text. */
  readonly keys?: readonly Key[];
  /** Rows whose value is a default that params.json leaves out. */
  readonly defaults?: readonly number[];
}

/** null where a row has no value. */
export type Key = string | number | null;

interface PageRow {
  /** Unique among rows. */
  readonly id: string;
  /** Repeats that are folded into it. */
  readonly runs: number;
  readonly status: Status;
  readonly curves?: Curves;
}

/** Mean and sample standard deviation over the repeats, by epoch; null if there is none. */
interface Curves {
  readonly epochs: readonly number[];
  readonly values: Readonly<Record<string, { readonly mean: Points; readonly deviation?: Points }>>;
}

type Points = readonly (number | null)[];

/**
 * Summary of run.json over all runs: the most frequent values and the number of others, or the range of many numbers.
 */
interface EnvironmentEntry {
  readonly name: string;
  readonly values: readonly { readonly text: string; readonly runs: number }[];
  readonly more: number;
}

/** A run that did not finish, and the reason if its files contain it. */
interface Failure {
  readonly directory: string;
  readonly status: Status;
  readonly reason: string;
}

/** The curves that are drawn, as metrics.jsonl and the columns of a run's history name them. */
const curveNames = ['train_loss', 'train_accuracy', 'val_loss', 'val_accuracy', 'val_logit_difference'];

/** Points of curves that a page holds, which is about 10 MB. */
const MOST_POINTS = 1_500_000;

/** Facts about single runs rather than about where they ran, and those that have a column. */
const ownFacts = [
  ...[
    'parameters',
    'flops_per_image',
    'seconds',
    'epoch_seconds',
    'command',
    'cwd',
    'seed',
    'started',
    'params',
    'files',
  ],
  ...['data', 'started_from', 'diverged', 'skipped_steps', 'restored'],
];
const MOST_VALUES = 4;

/** Params that only methods read. */
const methodKeys = ['alpha', 'temperature', 'kl_reduction'];

/** Columns that tell what a network costs. */
export const costColumns = ['parameters', 'flops', 'latency', 'time'];

/** The data of a table whose runs lie below `parent`. */
export function pageData({ allColumns, columns, sections, notes }: Table, parent: string): PageData {
  const rows = sections.flatMap((section) => section.rows);
  const runs = rows.flatMap((row) => row.runs);
  const ids = distinct(rows.map(({ directory }) => directory));
  const kept = keptCurves(rows);
  const predictions = pagePredictions(runs, parent);
  return {
    title: basename(resolve(parent)),
    columns: [...pageColumns(rows, columns, allColumns), ...latencyColumn(rows, parent)],
    rows: rows.map((row, i) => ({
      id: ids[i]!,
      runs: row.runs.length,
      status: row.runs[0]!.status,
      ...(kept.has(row) && { curves: curvesOf(row) }),
    })),
    runs: runs.length,
    notes,
    shared: sharedParams(runs),
    environment: environmentOf(runs),
    failures: failuresOf(runs, parent),
    curves: { had: rows.filter(hasCurves).length, kept: kept.size },
    ...(predictions && { predictions }),
  };
}

/** Visible ones first; of the others only those that distinguish rows. */
function pageColumns(rows: readonly Row[], shown: readonly Column[], all: readonly Column[]): PageColumn[] {
  const params = new Set(rows.flatMap((row) => [...row.params.keys()]));
  const ordered = [...shown, ...all.filter((column) => !shown.includes(column))];
  return ordered.flatMap((column): PageColumn[] => {
    const { name, numeric } = column;
    const texts = rows.map((row) => column.text(row));
    const isShown = shown.includes(column);
    const isTold = name === 'run.epoch_seconds' || texts.every((text) => text === texts[0]);
    if (!isShown && isTold) return [];
    const kind = column.spread
      ? 'metric'
      : costColumns.includes(name)
        ? 'cost'
        : params.has(name) || name === 'method'
          ? 'param'
          : 'other';
    // The mean of equal numbers may be off by a rounding error, and params must stay what they are.
    const exact = (row: Row) => (kind === 'param' ? column.value(row.runs[0]!, row) : column.key(row));
    const isDefault = rows.map((row, i) => texts[i] !== '' && column.isDefault?.(row) === true);
    // A student that is not distilled has no place on the axis of a temperature.
    const isIdle = (i: number) => isDefault[i] && methodKeys.includes(name) && methodOf(rows[i]!.params) === 'nokd';
    const keys = rows.map((row, i) => (texts[i] === '' || isIdle(i) ? null : keyOf(exact(row), texts[i]!)));
    const isText = keys.every((key, i) => key === texts[i]);
    const defaults = [...rows.keys()].filter((i) => isDefault[i]);
    const differing = { ...(!isText && { keys }), ...(defaults.length > 0 && { defaults }) };
    return [{ name, kind, shown: isShown, numeric, texts, ...differing }];
  });
}

function keyOf(value: Value, text: string): Key {
  if (value === undefined || value === null || Number.isNaN(value)) return null;
  return typeof value === 'number' ? value : text;
}

/** Milliseconds for one image, where export.ts has measured them. */
function latencyColumn(rows: readonly Row[], parent: string): PageColumn[] {
  const keys = rows.map((row) => {
    const values = row.runs.map((run) => latencyOf(join(parent, run.directory))).filter((value) => value !== undefined);
    return values.length > 0 ? statisticOf(values).mean : null;
  });
  if (keys.every((key) => key === null)) return [];
  const texts = keys.map((key) => (key === null ? '' : `${key.toFixed(2)} ms`));
  return [{ name: 'latency', kind: 'cost', shown: true, numeric: true, texts, keys }];
}

function latencyOf(directory: string): number | undefined {
  const path = join(directory, runFiles.exported);
  if (!existsSync(path)) return undefined;
  try {
    const { float32 } = readJson(path) as { float32?: { latency?: { batch_1?: unknown } } };
    const value = float32?.latency?.batch_1;
    return typeof value === 'number' ? value : undefined;
  } catch {
    return undefined;
  }
}

function hasCurves({ runs }: Row): boolean {
  return runs.some(({ history }) => curveNames.some((name) => history.has(name)));
}

/** As many rows as there is room for: those that run, then the others by their validation accuracy. */
function keptCurves(rows: readonly Row[]): ReadonlySet<Row> {
  const rankOf = ({ runs: [run] }: Row) => {
    if (run!.status === 'running') return Infinity;
    return run!.val?.metrics.get('accuracy') ?? run!.history.get('val_accuracy')?.at(-1) ?? -Infinity;
  };
  const ranked = rows.filter(hasCurves).map((row) => ({ row, rank: rankOf(row) || 0 }));
  ranked.sort((a, b) => (a.rank === b.rank ? 0 : b.rank - a.rank));
  const kept = new Set<Row>();
  let room = MOST_POINTS;
  for (const { row } of ranked) {
    const epochs = Math.max(...row.runs.map(({ history }) => history.get('epoch')?.length ?? 0));
    room -= epochs * (curveNames.length * (row.runs.length > 1 ? 2 : 1) + 1);
    if (room < 0) break;
    kept.add(row);
  }
  return kept;
}

function curvesOf({ runs }: Row): Curves {
  const epochsOf = ({ history }: Run) => history.get('epoch') ?? [];
  const epochs = [...new Set(runs.flatMap(epochsOf))].sort((a, b) => a - b);
  const entries = curveNames.flatMap((name) => {
    const byEpoch = new Map<number, number[]>();
    for (const run of runs) {
      const values = run.history.get(name) ?? [];
      for (const [i, epoch] of epochsOf(run).entries()) {
        const value = values[i] ?? NaN;
        if (!Number.isFinite(value)) continue;
        if (!byEpoch.has(epoch)) byEpoch.set(epoch, []);
        byEpoch.get(epoch)!.push(value);
      }
    }
    if (byEpoch.size === 0) return [];
    const statistics = epochs.map((epoch) => statisticOf(byEpoch.get(epoch) ?? []));
    const deviation = statistics.map(({ standardDeviation }) => shortened(standardDeviation));
    const mean = statistics.map((statistic) => shortened(statistic.mean));
    return [[name, { mean, ...(runs.length > 1 && { deviation }) }] as const];
  });
  return { epochs, values: Object.fromEntries(entries) };
}

/** Five digits are more than a figure shows. */
function shortened(value: number): number | null {
  return Number.isFinite(value) ? Number(value.toPrecision(5)) : null;
}

function sharedParams(runs: readonly Run[]): PageData['shared'] {
  const known = runs.map(({ params }) => params).filter(({ size }) => size > 0);
  const [first = new Map<string, Scalar>()] = known;
  return [...first]
    .filter(([name, value]) => known.every((params) => params.has(name) && params.get(name) === value))
    .map(([name, value]) => ({ name, text: String(value) }));
}

function environmentOf(runs: readonly Run[]): EnvironmentEntry[] {
  const names = new Set(runs.flatMap(({ facts }) => [...facts.keys()]));
  const shown = [...names].filter((name) => !ownFacts.includes(name.split('.')[0]!));
  return shown.map((name) => {
    const told = runs.map(({ facts }) => facts.get(name)).filter((value) => value !== undefined);
    const counts = new Map<string, number>();
    for (const value of told) counts.set(String(value), (counts.get(String(value)) ?? 0) + 1);
    if (counts.size > MOST_VALUES && told.every((value) => typeof value === 'number')) {
      const [least, most] = [Math.min(...told), Math.max(...told)].map((value) => Number(value.toPrecision(3)));
      return { name, values: [{ text: `${least} to ${most}`, runs: told.length }], more: 0 };
    }
    const values = [...counts].map(([text, count]) => ({ text, runs: count })).sort((a, b) => b.runs - a.runs);
    return { name, values: values.slice(0, MOST_VALUES), more: Math.max(0, values.length - MOST_VALUES) };
  });
}

function failuresOf(runs: readonly Run[], parent: string): Failure[] {
  const reasonOf = failureReasons();
  return runs.flatMap(({ directory, status, errors, facts }) => {
    const unread = errors.map(({ file, reason }) => `${file}: ${reason}`);
    const isGivenUp = status === 'failed' || status === 'pruned';
    const why = isGivenUp ? (reasonOf(join(parent, directory)) ?? facts.get('diverged')) : undefined;
    const reasons = [...(why === undefined ? [] : [String(why)]), ...unread];
    if (reasons.length === 0 && !['failed', 'interrupted'].includes(status)) return [];
    return [{ directory, status, reason: reasons.join('; ') }];
  });
}

/** Texts made unique: a second `a` is `a (2)`. */
function distinct(texts: readonly string[]): string[] {
  const seen = new Set<string>();
  return texts.map((text) => {
    let one = text;
    for (let n = 2; seen.has(one); n++) one = `${text} (${n})`;
    seen.add(one);
    return one;
  });
}

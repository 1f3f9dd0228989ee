/** The rows of a table: single runs, or repeats of an experiment that differ only in the seed. */
import { settingOf, type Flat } from '../../utils/flatten';
import { sortNaturally } from '../collect/natural_order';
import type { Run } from '../collect/run';
import { mean, standardDeviation } from '../statistics/mean';

export interface Row {
  /** The run's directory; for several runs their common directory, with `*` where they differ. */
  readonly directory: string;
  /** At least one; several are all finished. */
  readonly runs: readonly Run[];
  /** The params shared by its runs. */
  readonly params: Flat;
}

export interface Statistic {
  readonly mean: number;
  /** NaN for one value. */
  readonly standardDeviation: number;
  readonly n: number;
}

/** Folds finished runs with the same params and distinct seeds into one row, in natural order of the first of each. */
export function rowsOf(runs: readonly Run[]): Row[] {
  const repeats = new Map<string, Run[]>();
  const settings = runs.map((run) => (isRepeatable(run) ? settingOf(run.params) : `one run: ${run.directory}`));
  for (const [i, run] of runs.entries()) {
    const group = repeats.get(settings[i]!);
    if (group) group.push(run);
    else repeats.set(settings[i]!, [run]);
  }
  const rows = [...repeats.values()].flatMap((group) =>
    haveDistinctSeeds(group) ? [rowOf(group)] : group.map(singleRow),
  );
  return sortNaturally(rows, (row) => row.runs[0]!.directory);
}

/** Mean and spread of a value over the runs of a row. */
export function statisticOf(values: readonly number[]): Statistic {
  return { mean: mean(values), standardDeviation: standardDeviation(values), n: values.length };
}

function isRepeatable({ status, params }: Run): boolean {
  return status === 'finished' && params.size > 0;
}

function haveDistinctSeeds(runs: readonly Run[]): boolean {
  return new Set(runs.map(({ seed }) => seed)).size === runs.length;
}

function singleRow(run: Run): Row {
  return { directory: run.directory, runs: [run], params: run.params };
}

function rowOf(runs: readonly Run[]): Row {
  if (runs.length === 1) return singleRow(runs[0]!);
  const params = new Map(runs[0]!.params);
  params.delete('seed');
  return { directory: commonPattern(runs.map(({ directory }) => directory)), runs, params };
}

/**
 * `kd/seed_*` for `kd/seed_1` and `kd/seed_12`: their common beginning and end, no number cut in two. `T_4*` for
 * `T_4` and `T_4/repeat_1`, a trial of a search whose repeats lie in it; `., repeat_*` if that
 * trial is the folder itself.
 */
function commonPattern(texts: readonly string[]): string {
  const inside = texts.filter((text) => text !== '.');
  if (inside.length < texts.length) return `., ${inside.length > 1 ? commonPattern(inside) : inside[0]!}`;
  const folder = texts.find((one) => texts.every((text) => text === one || text.startsWith(`${one}/`)));
  if (folder !== undefined) return `${folder}*`;
  const shortest = Math.min(...texts.map(({ length }) => length));
  const [first] = texts as [string];
  let start = 0;
  while (start < shortest && texts.every((text) => text[start] === first[start])) start++;
  let end = 0;
  while (end < shortest - start && texts.every((text) => text.at(-1 - end) === first.at(-1 - end))) end++;
  const head = first.slice(0, start).replace(/[\d.]+$/, '');
  const tail = first.slice(first.length - end).replace(/^[\d.]+/, '');
  return `${head}*${tail}`;
}

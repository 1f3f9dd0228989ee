/** What differs between two states of a search.json, and whether what was done before still belongs to the search. */
import { canonical, isSame, type Json } from '../json';
import { contains, countOf, valueAt, type Choice, type Dimension, type Range, type Space } from '../space/space';
import type { Settings } from './settings';

export interface Changes {
  /** A line for each change. */
  readonly lines: string[];
  /** Whether there is only more than before (values, a wider range, trials, repeats), or nothing has changed. */
  readonly onlyExtends: boolean;
}

type Change = readonly [line: string, isExtension: boolean];

/** The changes that matter to points and their comparison; how and where trials run may change at any time. */
export function settingsChanges(before: Settings, after: Settings): Changes {
  const fixed = ['sampler', 'seed', 'pruner', 'metric', 'direction', 'names'] as const;
  const growing = ['n_trials', 'repeats'] as const;
  const changes = [
    ...changesOfSpace(before.space, after.space),
    ...growing.flatMap((key) => changed(key, before[key], after[key], after[key] >= before[key])),
    ...fixed.flatMap((key) => changed(key, before[key], after[key], false)),
    ...changed('optuna', before.optuna ?? null, after.optuna ?? null, false),
  ];
  return { lines: changes.map(([line]) => line), onlyExtends: changes.every(([, isExtension]) => isExtension) };
}

function changed(key: string, before: Json, after: Json, isExtension: boolean): Change[] {
  if (isSame(before, after)) return [];
  return [[`"${key}" was ${canonical(before)}, is ${canonical(after)}`, isExtension]];
}

function changesOfSpace(before: Space, after: Space): Change[] {
  const pathsOf = (space: Space) => space.map(({ path }) => path);
  const [old, now] = [pathsOf(before), pathsOf(after)];
  const gone = old.filter((path) => !now.includes(path));
  const added = now.filter((path) => !old.includes(path));
  const kept = before.filter(({ path }) => now.includes(path));
  const [keptBefore, keptNow] = [kept.map(({ path }) => path), now.filter((path) => old.includes(path))];
  const order: Change[] = isSame(keptBefore, keptNow) ? [] : [[`"space" has the order ${keptNow.join(', ')}`, false]];
  return [
    ...gone.map((path): Change => [`"space.${path}" was removed`, false]),
    ...added.map((path): Change => [`"space.${path}" was added`, false]),
    ...order,
    ...kept.flatMap((dimension) =>
      changesOf(
        dimension,
        after.find(({ path }) => path === dimension.path)!,
      ),
    ),
  ];
}

function changesOf(before: Dimension, after: Dimension): Change[] {
  const key = `space.${before.path}`;
  const condition = changed(`${key}.when`, before.when ?? {}, after.when ?? {}, false);
  if (before.kind === 'choice' && after.kind === 'choice')
    return [...changesOfValues(key, before, after), ...condition];
  if (before.kind === 'range' && after.kind === 'range') return [...changesOfRange(key, before, after), ...condition];
  const nouns = { choice: 'a list', range: 'a range' };
  return [[`"${key}" was ${nouns[before.kind]}, is ${nouns[after.kind]}`, isWithin(before, after)], ...condition];
}

function changesOfValues(key: string, before: Choice, after: Choice): Change[] {
  const missing = (from: Choice, others: Choice) => from.values.filter((value) => !contains(others, value));
  const [gone, added] = [missing(before, after), missing(after, before)];
  const text = (values: readonly Json[]) => values.map(canonical).join(', ');
  const changes: Change[] = [];
  if (gone.length > 0) changes.push([`"${key}" has lost ${text(gone)}`, false]);
  if (added.length > 0) changes.push([`"${key}" has gained ${text(added)}`, true]);
  return changes;
}

function changesOfRange(key: string, before: Range, after: Range): Change[] {
  const wider = isWithin(before, after);
  return [
    ...changed(`${key}.low`, before.low, after.low, wider),
    ...changed(`${key}.high`, before.high, after.high, wider),
    ...changed(`${key}.step`, before.step ?? 'none', after.step ?? 'none', wider),
    ...changed(`${key}.log`, before.log, after.log, false),
  ];
}

/** Whether every value of a dimension is one of the other. */
function isWithin(inner: Dimension, outer: Dimension): boolean {
  if (inner.kind === 'choice') return inner.values.every((value) => contains(outer, value));
  const { low, high, step } = inner;
  if (step === undefined) return countOf(outer) === Infinity && contains(outer, low) && contains(outer, high);
  const count = countOf(inner);
  if (count > countOf(outer)) return false;
  // The first two values and the last stand for all where both have equal steps.
  const indices = outer.kind === 'range' ? [0, 1, count - 1] : Array.from({ length: count }, (_, i) => i);
  return indices.every((index) => index >= count || contains(outer, valueAt(inner, index)));
}

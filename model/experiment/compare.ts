/** Compares two runs of the same training: their machines, and the differences of their metrics and weights. */
import { bytesOf, type NamedArrays } from '../../formats/ndarray';
import { readSafetensors } from '../../formats/safetensors';
import { runFiles } from '../../runs/files';
import { readEpochs, readScore } from '../../runs/metrics';
import type { RunDirectory } from '../../runs/run_directory';
import { isThere } from '../../utils/files';
import { flatten, type Flat, type Scalar } from '../../utils/flatten';

/** A number from both runs, and |a − b| relative to the larger of |a| and |b|. */
interface Difference {
  readonly name: string;
  readonly before: Scalar | undefined;
  readonly after: Scalar | undefined;
  readonly relative: number;
}

/** The largest of several differences; absent if all are equal. */
interface Part {
  readonly name: string;
  readonly largest?: Difference;
}

export interface RunComparison {
  /** Other differences: versions, machine, threads, files. */
  readonly surroundings: readonly Pick<Difference, 'name' | 'before' | 'after'>[];
  readonly parts: readonly Part[];
  readonly isSame: boolean;
  /** Whether the difference is within what rounding differences cause. */
  readonly isNear: boolean;
}

/** Maximum relative difference of the first epoch's loss from rounding. */
const FIRST_LOSS = 0.01;
/** Maximum difference of test accuracies, in standard errors of the difference of two proportions. */
const ERRORS = 3;

/** What causes rounding differences, or other results. */
const surroundings =
  /^(version|commit|dirty|node|onnxruntime|os|cpu|host|device|precision|threads|data\..*|files\..*\.sha256)$/;

export function compareRuns(before: RunDirectory, after: RunDirectory): RunComparison {
  const [was, is] = [before, after].map(factsOf) as [Flat, Flat];
  const names = [...new Set([...was.keys(), ...is.keys()])].filter((name) => surroundings.test(name));
  const [curvesBefore, curvesAfter] = [before, after].map(metricsOf) as [Flat, Flat];
  const weights = (['best', 'last'] as const).map((name) => partOfWeights(name, before, after));
  const parts = [{ name: 'metrics', ...largest(scalarDifferences(curvesBefore, curvesAfter)) }, ...weights];
  return {
    surroundings: names
      .filter((name) => was.get(name) !== is.get(name))
      .map((name) => ({ name, before: was.get(name), after: is.get(name) })),
    parts,
    isSame: parts.every((part) => part.largest === undefined),
    isNear: isNear(curvesBefore, curvesAfter, Number(was.get('data.test'))),
  };
}

/** The comparison as lines of text. */
export function comparisonInWords({ surroundings: others, parts }: RunComparison): string[] {
  return [
    ...others.map(({ name, before, after }) => `Different: ${name} is ${after}, was ${before}`),
    ...parts.map(({ name, largest: found }) => `${name}: ${found ? distance(found) : 'bit-identical'}`),
  ];
}

function distance({ name, before, after, relative }: Difference): string {
  const values = before === undefined && after === undefined ? '' : `: is ${after}, was ${before}`;
  return `up to ${Number((100 * relative).toPrecision(2))} % apart (${name}${values})`;
}

/** The content of run.json, with the actual number of threads for "all". */
function factsOf(run: RunDirectory): Flat {
  const facts = run.facts();
  return flatten({ ...facts, threads: facts.threads || facts.cores });
}

/** All numbers of metrics.jsonl and of the test score, such as `epoch 3: val.loss` and `test: accuracy`. */
function metricsOf(run: RunDirectory): Flat {
  const records = readEpochs(run.file(runFiles.metrics)).map((record, i) => [`epoch ${i + 1}`, record] as const);
  const { metrics, epoch } = readScore(run.file(runFiles.test));
  const all = [...records, ['test', { ...Object.fromEntries(metrics), epoch }] as const];
  return new Map(
    all.flatMap(([place, record]) =>
      [...flatten(record)].map(([name, value]) => [`${place}: ${name}`, value] as const),
    ),
  );
}

function scalarDifferences(before: Flat, after: Flat): Difference[] {
  const names = [...new Set([...before.keys(), ...after.keys()])].filter(
    (name) => !Object.is(before.get(name), after.get(name)),
  );
  return names.map((name) => {
    const [a, b] = [before.get(name), after.get(name)];
    return { name, before: a, after: b, relative: relative(Number(a), Number(b)) };
  });
}

function partOfWeights(name: 'best' | 'last', before: RunDirectory, after: RunDirectory): Part {
  const [a, b] = [before, after].map((run) => {
    const path = run.file(runFiles[name]);
    return isThere(path) ? readSafetensors(path).tensors : new Map<never, never>();
  }) as [NamedArrays, NamedArrays];
  const names = [...new Set([...a.keys(), ...b.keys()])];
  return { name: `${name} weights`, ...largest(names.flatMap((tensor) => tensorDifference(tensor, a, b))) };
}

/** Relative to the largest value of the tensor. */
function tensorDifference(name: string, before: NamedArrays, after: NamedArrays): Difference[] {
  const [a, b] = [before.get(name), after.get(name)];
  if (a && b && Buffer.compare(bytesOf(a), bytesOf(b)) === 0) return [];
  if (!a || !b || a.data.length !== b.data.length)
    return [{ name, before: undefined, after: undefined, relative: Infinity }];
  let [most, apart] = [0, 0];
  a.data.forEach((value: number | bigint, i: number) => {
    most = Math.max(most, Math.abs(Number(value)), Math.abs(Number(b.data[i])));
    apart = Math.max(apart, Math.abs(Number(value) - Number(b.data[i])));
  });
  return [{ name, before: undefined, after: undefined, relative: apart / most }];
}

function largest(differences: readonly Difference[]): Pick<Part, 'largest'> {
  const [first, ...rest] = differences;
  return first ? { largest: rest.reduce((most, one) => (one.relative > most.relative ? one : most), first) } : {};
}

function relative(a: number, b: number): number {
  const most = Math.max(Math.abs(a), Math.abs(b));
  return Number.isFinite(most) ? Math.abs(a - b) / most : Infinity;
}

/** Rounding differences grow from step to step: the first epoch is nearly equal, the test accuracy varies by chance. */
function isNear(before: Flat, after: Flat, images: number): boolean {
  const both = (name: string) => [Number(before.get(name)), Number(after.get(name))] as const;
  const epochs = (metrics: Flat) => [...metrics.keys()].filter((name) => name.endsWith(': epoch')).length;
  const [a, b] = both('test: accuracy');
  const p = (a + b) / 2;
  const allowed = ERRORS * Math.sqrt((2 * p * (1 - p)) / images);
  return (
    epochs(before) === epochs(after) &&
    relative(...both('epoch 1: train.loss')) <= FIRST_LOSS &&
    Math.abs(a - b) <= allowed
  );
}

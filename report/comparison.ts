/**
 * Compares rows with a baseline: the paired difference over the seeds that both have, by a t test, or over the images
 * of one pair of runs, by McNemar's; corrected for the number of rows.
 */
import { readPredictions } from '../runs/predictions';
import { UserError } from '../utils/errors';
import { wouldBeRuns } from './collect/collect';
import type { Run, RunScore } from './collect/run';
import { disagreement, type PredictionSummary } from './predictions';
import { bootstrapInterval } from './statistics/bootstrap';
import { holm } from './statistics/holm';
import { mcnemar } from './statistics/mcnemar';
import { mean } from './statistics/mean';
import { pairedDifference, type PairedDifference } from './statistics/paired_difference';
import type { Row } from './table/rows';

/**
 * better, worse: the corrected p is below 0.05; inconclusive: it is not; single run: a pair of runs without predictions
 * for the same images, which cannot be tested.
 */
type Verdict = 'better' | 'worse' | 'inconclusive' | 'single run' | 'no common seed';

export const SIGNIFICANCE = 0.05;

/** The difference of a row; of one pair of runs that is tested, interval and p are those over its images. */
export interface Comparison extends PairedDifference {
  /** The test behind p: `t` over seeds, `McNemar` over images. */
  readonly test: 't' | 'McNemar' | undefined;
  /** p, corrected for all tested rows (Holm). */
  readonly pHolm: number;
  readonly verdict: Verdict;
  /** Mean difference of the accuracy on each class, if all pairs have predictions. */
  readonly classes: ReadonlyMap<string, number>;
}

/** The compared metric: the test accuracy if the baseline has it, otherwise the validation accuracy. */
type ComparedMetric = 'test_accuracy' | 'val_accuracy';

export interface Baseline {
  readonly row: Row;
  readonly metric: ComparedMetric;
}

/**
 * The row that contains the run in `directory`, or else the only row of runs below it. Throws a UserError if there is
 * no such row, or no score to compare with.
 */
export function baselineIn(rows: readonly Row[], directory: string): Baseline {
  const isBelow = (run: Run) => directory === '.' || run.directory.startsWith(`${directory}/`);
  const exact = rows.filter(({ runs }) => runs.some((run) => run.directory === directory));
  const found = exact.length > 0 ? exact : rows.filter(({ runs }) => runs.some(isBelow));
  if (found.length !== 1) {
    const reason =
      found.length === 0
        ? `contains no run: ${wouldBeRuns}`
        : `contains ${found.length} experiments; choose one of them`;
    throw new UserError(`--baseline: ${directory} ${reason}`);
  }
  const [row] = found as [Row];
  const metric = (['test_accuracy', 'val_accuracy'] as const).find((name) =>
    row.runs.every((run) => accuracyOf(scoreFor(run, name)) !== undefined),
  );
  if (metric === undefined) throw new UserError(`--baseline: ${row.directory} has no result to compare with`);
  return { row, metric };
}

/** Each row − baseline; omits the baseline itself and rows without a final score. */
export function compareRows(rows: readonly Row[], baseline: Baseline): Map<Row, Comparison> {
  const compared = rows.flatMap((row) => {
    const difference = differenceOf(row, baseline);
    return difference ? [{ row, ...difference }] : [];
  });
  const tested = compared.filter(({ p }) => !Number.isNaN(p));
  const corrected = holm(tested.map(({ p }) => p));
  const pHolmOf = new Map(tested.map(({ row }, i) => [row, corrected[i]!]));
  return new Map(
    compared.map(({ row, ...difference }) => {
      const pHolm = pHolmOf.get(row) ?? NaN;
      return [row, { ...difference, pHolm, verdict: verdictOn(difference, pHolm) }];
    }),
  );
}

type Difference = Omit<Comparison, 'pHolm' | 'verdict'>;

function differenceOf(row: Row, { row: baseline, metric }: Baseline): Difference | undefined {
  if (row === baseline || row.runs.every((run) => accuracyOf(scoreFor(run, metric)) === undefined)) return undefined;
  const scores = new Map(row.runs.map((run) => [run.seed, scoreFor(run, metric)]));
  const pairs = baseline.runs.flatMap((run) => {
    const [a, b] = [scoreFor(run, metric), scores.get(run.seed)];
    return accuracyOf(a) === undefined || accuracyOf(b) === undefined ? [] : [{ a: a!, b: b! }];
  });
  const overSeeds = pairedDifference(
    pairs.map(({ a }) => accuracyOf(a)!),
    pairs.map(({ b }) => accuracyOf(b)!),
  );
  const overImages = pairs.length === 1 ? imageTest(pairs[0]!.a, pairs[0]!.b) : undefined;
  return {
    ...overSeeds,
    ...overImages,
    test: pairs.length > 1 ? 't' : overImages && 'McNemar',
    classes: classDifferences(pairs.map(({ a, b }) => [a.predictions, b.predictions])),
  };
}

/** One run against one other on the same images: McNemar's p and the bootstrap's interval. */
function imageTest(
  { predictions: a }: RunScore,
  { predictions: b }: RunScore,
): Pick<Difference, 'interval' | 'p'> | undefined {
  if (!a || !b) return undefined;
  const counts = disagreement(readPredictions(a.path), readPredictions(b.path));
  return counts && { interval: bootstrapInterval(counts, counts.images), p: mcnemar(counts) };
}

type SummaryPair = readonly [PredictionSummary | undefined, PredictionSummary | undefined];

function classDifferences(pairs: readonly SummaryPair[]): ReadonlyMap<string, number> {
  const [names = []] = pairs.map(([a]) => a?.classes);
  const isOfThese = (summary: PredictionSummary | undefined) => summary?.classes.join('\n') === names.join('\n');
  if (!pairs.flat().every(isOfThese)) return new Map();
  const differenceIn = (k: number) => mean(pairs.map(([a, b]) => b!.classAccuracies[k]! - a!.classAccuracies[k]!));
  return new Map(names.map((name, k) => [name, differenceIn(k)] as const).filter(([, value]) => !Number.isNaN(value)));
}

function scoreFor({ status, test, val }: Run, metric: ComparedMetric): RunScore | undefined {
  if (status !== 'finished') return undefined;
  return metric === 'test_accuracy' ? test : val;
}

function accuracyOf(score: RunScore | undefined): number | undefined {
  return score?.metrics.get('accuracy');
}

function verdictOn({ n, mean }: PairedDifference, pHolm: number): Verdict {
  if (n === 0) return 'no common seed';
  if (Number.isNaN(pHolm)) return 'single run';
  if (pHolm >= SIGNIFICANCE) return 'inconclusive';
  return mean > 0 ? 'better' : 'worse';
}

/** A row against the baseline: the paired difference over the seeds that both have, with its t interval. */
import { UserError } from '../utils/errors';
import type { Run } from './collect';
import type { Row } from './rows';
import { pairedDifference, type PairedDifference } from './statistics';

/** better, worse: the 95 % interval excludes 0; inconclusive: it does not; single run: one pair has no interval. */
export type Verdict = 'better' | 'worse' | 'inconclusive' | 'single run' | 'no common seed';

export interface Comparison extends PairedDifference {
  readonly verdict: Verdict;
}

/** What is compared: the test accuracy where the baseline has it, the validation accuracy otherwise. */
export type ComparedMetric = 'test_accuracy' | 'val_accuracy';

export interface Baseline {
  readonly row: Row;
  readonly metric: ComparedMetric;
}

/**
 * The row that holds the run of `directory`, or else the one row whose runs are all that lie below it. Throws a
 * UserError where there is no such row, or no score to compare with.
 */
export function baselineIn(rows: readonly Row[], directory: string): Baseline {
  const isBelow = (run: Run) => directory === '.' || run.directory.startsWith(`${directory}/`);
  const exact = rows.filter(({ runs }) => runs.some((run) => run.directory === directory));
  const found = exact.length > 0 ? exact : rows.filter(({ runs }) => runs.some(isBelow));
  if (found.length !== 1) {
    const reason = found.length === 0 ? 'holds no run' : `holds ${found.length} experiments; name one of them`;
    throw new UserError(`--baseline: ${directory} ${reason}`);
  }
  const [row] = found as [Row];
  const metric = (['test_accuracy', 'val_accuracy'] as const).find((name) =>
    row.runs.every((run) => scoreFor(run, name) !== undefined),
  );
  if (metric === undefined) throw new UserError(`--baseline: ${row.directory} has no result to compare with`);
  return { row, metric };
}

/** `row` − baseline; undefined for the baseline itself and for a row without a finished score. */
export function compare(row: Row, { row: baseline, metric }: Baseline): Comparison | undefined {
  if (row === baseline || row.runs.every((run) => scoreFor(run, metric) === undefined)) return undefined;
  const scores = new Map(row.runs.map((run) => [run.seed, scoreFor(run, metric)]));
  const pairs = baseline.runs.flatMap((run) => {
    const [a, b] = [scoreFor(run, metric), scores.get(run.seed)];
    return a === undefined || b === undefined ? [] : [{ a, b }];
  });
  const difference = pairedDifference(
    pairs.map(({ a }) => a),
    pairs.map(({ b }) => b),
  );
  return { ...difference, verdict: verdictOn(difference) };
}

function scoreFor({ status, test, val }: Run, metric: ComparedMetric): number | undefined {
  if (status !== 'finished') return undefined;
  return (metric === 'test_accuracy' ? test : val)?.metrics.get('accuracy');
}

function verdictOn({ n, interval: [low, high] }: PairedDifference): Verdict {
  if (n < 2) return n === 0 ? 'no common seed' : 'single run';
  if (low > 0) return 'better';
  return high < 0 ? 'worse' : 'inconclusive';
}

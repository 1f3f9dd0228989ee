/** What runs and their teachers predict for the test images, as data of the page. */
import type { CalibrationBin } from '../../runs/calibration';
import { hasTeacher } from '../collect/method';
import type { Run } from '../collect/run';
import type { SoftTargets } from '../predictions';
import { differenceOf, type Difference } from './difference';

export interface PagePredictions {
  /** The best runs with predictions, by validation accuracy. */
  readonly runs: readonly PredictedRun[];
  /** How many runs have predictions; the best of them are in `runs`. */
  readonly had: number;
  /** Their different sets of test images. */
  readonly sets: readonly TestSet[];
  /** What the best run with a teacher, that teacher, and the best run without one take for different things. */
  readonly difference?: Difference;
}

interface TestSet {
  readonly classes: readonly string[];
  /** Images of each class. */
  readonly images: readonly number[];
}

export interface PredictedRun {
  readonly directory: string;
  /** Its place in `sets`. */
  readonly set: number;
  readonly bins: readonly CalibrationBin[];
  readonly calibrationError: number;
  /** Accuracy on the images of each class; null for a class without images. */
  readonly classAccuracies: readonly (number | null)[];
  readonly isTaught: boolean;
  readonly teacher?: SoftTargets;
}

/** Runs whose predictions a page has. */
const MOST_RUNS = 100;

/** undefined if no finished run of `runs`, which lie below `parent`, has predictions, or all have confidences that are NaN. */
export function pagePredictions(runs: readonly Run[], parent: string): PagePredictions | undefined {
  const rankOf = ({ val, test }: Run) => (val ?? test)?.metrics.get('accuracy') ?? -Infinity;
  const ranked = runs
    .filter(({ status, test }) => status === 'finished' && !Number.isNaN(test?.predictions?.calibrationError ?? NaN))
    .sort((a, b) => rankOf(b) - rankOf(a));
  if (ranked.length === 0) return undefined;
  const sets = new Map<string, TestSet>();
  const kept = ranked.slice(0, MOST_RUNS).map((run): PredictedRun => {
    const { classes, classImages, classAccuracies, bins, calibrationError } = run.test!.predictions!;
    const set = { classes, images: [...classImages] };
    const key = JSON.stringify(set);
    if (!sets.has(key)) sets.set(key, set);
    return {
      directory: run.directory,
      set: [...sets.keys()].indexOf(key),
      bins,
      calibrationError,
      classAccuracies: Array.from(classAccuracies, (share) => (Number.isNaN(share) ? null : share)),
      isTaught: hasTeacher(run),
      ...(run.teacher && { teacher: run.teacher.softTargets }),
    };
  });
  const difference = differenceOf(ranked, parent);
  return { runs: kept, had: ranked.length, sets: [...sets.values()], ...(difference && { difference }) };
}

/** Test images that two students and a teacher take for different things. */
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { pngDataUri } from '../../formats/png';
import { runFiles } from '../../runs/files';
import { readPredictions, readTeacherPredictions, type Predictions } from '../../runs/predictions';
import { readTestImages } from '../../runs/test_images';
import { messageOf } from '../../utils/errors';
import { unlinked } from '../collect/find';
import { hasTeacher } from '../collect/method';
import type { Run } from '../collect/run';
import { disagreement, type PredictionSummary } from '../predictions';

export interface Difference {
  /** The directory of the best run with a teacher, and of the best one without, if there is one on the same images. */
  readonly distilled: string;
  readonly alone?: string;
  /** Test images that only the first gets right, and those that only the second does; and all of them. */
  readonly gained: number;
  readonly lost: number;
  readonly images: number;
  /** Images for which the teacher's prediction is known, too, and those of them for which the predictions differ. */
  readonly known: number;
  readonly differing: number;
  /** Some of the latter. */
  readonly examples: readonly Example[];
  /** Files of images that cannot be read. */
  readonly errors: readonly string[];
}

/** An image with its predictions. */
export interface Example extends Answers {
  /** A PNG file as a data URI. */
  readonly uri: string;
}

interface Answers {
  /** Its number among the test images. */
  readonly index: number;
  readonly label: string;
  readonly predictions: readonly Prediction[];
}

interface Prediction {
  readonly who: 'alone' | 'distilled' | 'teacher';
  readonly label: string;
  readonly confidence: number;
  readonly isRight: boolean;
}

/** Images on a page. */
const MOST_EXAMPLES = 24;

/**
 * Compares the first of `runs` that has kept its teacher's predictions with that teacher, and with the first one without a
 * teacher; undefined if no run has kept any.
 */
export function differenceOf(runs: readonly Run[], parent: string): Difference | undefined {
  const distilled = runs.find(({ teacher }) => teacher !== undefined);
  if (!distilled) return undefined;
  const student = predictionsOf(distilled);
  const summary = distilled.test!.predictions!;
  const isComparable = (run: Run) => !hasTeacher(run) && testSetOf(run.test!.predictions!) === testSetOf(summary);
  const rival = runs.find(isComparable);
  const rivals = rival && predictionsOf(rival);
  // The same numbers of images of each class may be other images.
  const counts = rivals && disagreement(rivals, student);
  const alone = counts && { directory: rival.directory, predictions: rivals };
  const teacher = readTeacherPredictions(distilled.teacher!.path);
  const answers = answersOf(summary.classes, { alone: alone?.predictions, distilled: student, teacher });
  const differing = answers.filter(({ predictions }) => new Set(predictions.map(({ label }) => label)).size > 1);
  const directories = [...(alone ? [alone] : []), distilled].map(({ directory }) => directory);
  return {
    distilled: distilled.directory,
    ...(alone && { alone: alone.directory }),
    gained: counts?.gained ?? 0,
    lost: counts?.lost ?? 0,
    images: student.labels.length,
    known: answers.length,
    differing: differing.length,
    ...examplesOf(differing, directories, parent),
  };
}

function predictionsOf({ test }: Run): Predictions {
  return readPredictions(test!.predictions!.path);
}

function testSetOf({ classes, classImages }: PredictionSummary): string {
  return JSON.stringify([classes, [...classImages]]);
}

/** The predictions for each image that all have seen. */
function answersOf(
  classes: readonly string[],
  { teacher, ...students }: Readonly<Record<'distilled' | 'teacher', Predictions> & { alone: Predictions | undefined }>,
): Answers[] {
  const named = Object.entries({ alone: students.alone, distilled: students.distilled, teacher }).flatMap(
    ([who, one]) =>
      one
        ? [{ who: who as Prediction['who'], one, places: new Map(Array.from(one.indices, (index, i) => [index, i])) }]
        : [],
  );
  return Array.from(teacher.indices).flatMap((index, i): Answers[] => {
    if (named.some(({ places }) => !places.has(index))) return [];
    const label = teacher.labels[i]!;
    const predictions = named.map(({ who, one, places }) => {
      const place = places.get(index)!;
      const guess = one.predicted[place]!;
      const confidence = one.confidences[place]!;
      return { who, label: classes[guess] ?? String(guess), confidence, isRight: guess === label };
    });
    return [{ index, label: classes[label] ?? String(label), predictions }];
  });
}

/** Answers with the images that some runs have kept, a few of each pattern of right and wrong ones. */
function examplesOf(
  answers: readonly Answers[],
  directories: readonly string[],
  parent: string,
): Pick<Difference, 'examples' | 'errors'> {
  const uris = new Map<number, () => string>();
  const errors: string[] = [];
  for (const directory of directories) {
    const path = join(parent, directory, runFiles.testImages);
    if (!lstatSync(path, { throwIfNoEntry: false })) continue;
    try {
      const { indices, shape, pixels } = readTestImages(unlinked(path));
      const size = pixels.length / indices.length;
      indices.forEach((index, i) =>
        uris.set(index, () => pngDataUri(pixels.subarray(i * size, (i + 1) * size), shape)),
      );
    } catch (error) {
      errors.push(`${directory}/${runFiles.testImages}: ${messageOf(error).replace(`${path}: `, '')}`);
    }
  }
  const groups = new Map<string, Answers[]>();
  for (const one of answers.filter(({ index }) => uris.has(index))) {
    const pattern = one.predictions.map(({ isRight }) => Number(isRight)).join('');
    if (!groups.has(pattern)) groups.set(pattern, []);
    groups.get(pattern)!.push(one);
  }
  // Those that only the first student gets wrong come first: 011, 010, 001, 110, 101, 100, 000.
  const patterns = [...groups.keys()].sort((a, b) => rank(a) - rank(b));
  const chosen = inTurn(patterns.map((pattern) => groups.get(pattern)!)).slice(0, MOST_EXAMPLES);
  const examples = patterns.flatMap((pattern) => groups.get(pattern)!.filter((one) => chosen.includes(one)));
  return { examples: examples.map((one) => ({ ...one, uri: uris.get(one.index)!() })), errors };
}

function rank(pattern: string): number {
  const order = ['011', '010', '110', '100', '001', '101', '000', '10', '01', '00'];
  return order.indexOf(pattern);
}

/** The first of each list, then the second of each, and so on. */
function inTurn<T>(lists: readonly (readonly T[])[]): T[] {
  const longest = Math.max(0, ...lists.map(({ length }) => length));
  return Array.from({ length: longest }, (_, i) => lists.flatMap((list) => list.slice(i, i + 1))).flat();
}

/** Metrics from the predictions of runs and their teachers: calibration, accuracy by class, soft targets, disagreements. */
import { calibrationBins, calibrationErrorOf, type CalibrationBin } from '../runs/calibration';
import { readPredictions, readTeacherPredictions, type Predictions } from '../runs/predictions';
import { histogram } from './statistics/histogram';
import type { Disagreement } from './statistics/mcnemar';

/** The metrics of a file; the predictions themselves are not kept in memory. */
export interface PredictionSummary {
  readonly path: string;
  readonly epoch: number;
  /** The bins of a reliability diagram, and the expected calibration error that they give. */
  readonly bins: readonly CalibrationBin[];
  readonly calibrationError: number;
  readonly classes: readonly string[];
  /** Images of each class. */
  readonly classImages: Float64Array;
  /** Accuracy on the images of each class; NaN for a class without images. */
  readonly classAccuracies: Float64Array;
}

/** Reads a file. Throws a UserError that names it if it is damaged. */
export function readSummary(path: string): PredictionSummary {
  const { labels, predicted, confidences, epoch, classes } = readPredictions(path);
  const right = new Float64Array(classes.length);
  const images = new Float64Array(classes.length);
  const correct = new Array<boolean>(labels.length);
  labels.forEach((label, i) => {
    correct[i] = label === predicted[i];
    images[label]!++;
    if (correct[i]) right[label]!++;
  });
  const bins = calibrationBins(confidences, correct);
  return {
    path,
    epoch,
    bins,
    calibrationError: calibrationErrorOf(bins),
    classes,
    classImages: images,
    classAccuracies: right.map((count, k) => count / images[k]!),
  };
}

/** The predictions of a teacher; they themselves are not kept in memory. */
export interface TeacherSummary {
  readonly path: string;
  readonly softTargets: SoftTargets;
}

/** A teacher's predictions for some test images, in numbers. */
export interface SoftTargets {
  readonly images: number;
  readonly accuracy: number;
  /** How many classes there are. */
  readonly classes: number;
  /** That of the run. */
  readonly temperature: number;
  /** Images by the largest probability, from 0 to 1, at temperature 1 and at that of the run. */
  readonly confidences: readonly number[];
  readonly softConfidences: readonly number[];
  /** Images by the entropy at the temperature of the run, from 0 to ln(classes), which is that of equal probabilities. */
  readonly softEntropies: readonly number[];
}

/** Bars of a histogram. */
const BARS = 20;

/** Reads the file of a teacher. Throws a UserError that names it if it is damaged. */
export function readTeacherSummary(path: string): TeacherSummary {
  const { labels, predicted, confidences, softConfidences, softEntropies, classes, temperature } =
    readTeacherPredictions(path);
  const softTargets = {
    images: labels.length,
    accuracy: labels.filter((label, i) => label === predicted[i]).length / labels.length,
    classes: classes.length,
    temperature,
    confidences: histogram(confidences, 0, 1, BARS),
    softConfidences: histogram(softConfidences, 0, 1, BARS),
    // Rounded to float32, it may be a little more than that.
    softEntropies: histogram(softEntropies, 0, Math.log(classes.length) * (1 + 1e-6), BARS),
  };
  return { path, softTargets };
}

/**
 * How many images only one of two runs classifies correctly, and the number of images; undefined if the images differ.
 */
export function disagreement(a: Predictions, b: Predictions): (Disagreement & { readonly images: number }) | undefined {
  if (!areEqual(a.indices, b.indices) || !areEqual(a.labels, b.labels)) return undefined;
  const [isRight, isRightThen] = [a, b].map(
    ({ labels, predicted }) =>
      (i: number) =>
        labels[i] === predicted[i],
  );
  let [gained, lost] = [0, 0];
  for (let i = 0; i < a.labels.length; i++) {
    if (isRight!(i) === isRightThen!(i)) continue;
    if (isRight!(i)) lost++;
    else gained++;
  }
  return { gained, lost, images: a.labels.length };
}

function areEqual(a: Int32Array, b: Int32Array): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

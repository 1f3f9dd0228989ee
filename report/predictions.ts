/** Metrics from the predictions of runs: calibration, accuracy by class, and disagreements of two runs. */
import { calibrationError } from '../runs/calibration';
import { readPredictions, type Predictions } from '../runs/predictions';
import type { Disagreement } from './statistics/mcnemar';

/** The metrics of a file; the predictions themselves are not kept in memory. */
export interface PredictionSummary {
  readonly path: string;
  readonly epoch: number;
  /** Expected calibration error, 15 bins. */
  readonly calibrationError: number;
  readonly classes: readonly string[];
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
  return {
    path,
    epoch,
    calibrationError: calibrationError(confidences, correct),
    classes,
    classAccuracies: right.map((count, k) => count / images[k]!),
  };
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

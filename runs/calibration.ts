/** How well the confidence of a classifier matches its accuracy. */

/** The images of a bin of confidences. */
export interface CalibrationBin {
  readonly images: number;
  /** How many of them are classified correctly; divided by the images, the accuracy of the bin. */
  readonly correct: number;
  /** Sum of their confidences; divided by the images, the mean confidence of the bin. */
  readonly confidence: number;
}

/** Confidences in (0, 1] fall into bins of equal width, ((b − 1) / B, b / B] for b = 1 … B. */
export function calibrationBins(
  confidences: ArrayLike<number>,
  correct: ArrayLike<boolean>,
  count = 15,
): CalibrationBin[] {
  const bins = Array.from({ length: count }, () => ({ images: 0, correct: 0, confidence: 0 }));
  for (let i = 0; i < confidences.length; i++) {
    const place = Math.min(count, Math.max(1, Math.ceil(confidences[i]! * count))) - 1;
    // A confidence that is no number makes its bin, here the first, no number either.
    const bin = bins[place || 0]!;
    bin.images++;
    bin.correct += correct[i] ? 1 : 0;
    bin.confidence += confidences[i]!;
  }
  return bins;
}

/**
 * Expected calibration error (Guo et al. 2017, "On calibration of modern neural networks"):
 * ECE = Σ_b |B_b| / n · |accuracy(B_b) − mean confidence(B_b)|. NaN if a confidence is NaN.
 */
export function calibrationErrorOf(bins: readonly CalibrationBin[]): number {
  const images = bins.reduce((sum, bin) => sum + bin.images, 0);
  return bins.reduce((sum, { correct, confidence }) => sum + Math.abs(correct - confidence), 0) / images;
}

/** The expected calibration error of confidences. */
export function calibrationError(confidences: ArrayLike<number>, correct: ArrayLike<boolean>, bins = 15): number {
  return calibrationErrorOf(calibrationBins(confidences, correct, bins));
}

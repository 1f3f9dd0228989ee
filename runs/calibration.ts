/** How well the confidence of a classifier matches its accuracy. */

/**
 * Expected calibration error (Guo et al. 2017, "On calibration of modern neural networks"): confidences in (0, 1] fall
 * into bins of equal width, ((b − 1) / B, b / B], and ECE = Σ_b |B_b| / n · |accuracy(B_b) − mean confidence(B_b)|. NaN
 * if a confidence is NaN.
 */
export function calibrationError(confidences: ArrayLike<number>, correct: ArrayLike<boolean>, bins = 15): number {
  const gaps = new Float64Array(bins);
  for (let i = 0; i < confidences.length; i++) {
    if (Number.isNaN(confidences[i])) return NaN;
    const bin = Math.min(bins, Math.max(1, Math.ceil(confidences[i]! * bins))) - 1;
    gaps[bin]! += (correct[i] ? 1 : 0) - confidences[i]!;
  }
  return gaps.reduce((sum, gap) => sum + Math.abs(gap), 0) / confidences.length;
}

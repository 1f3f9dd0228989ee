/** Metrics from the logits of a classifier: predictions, calibration, losses, and the distance to a teacher. */
import { calibrationError } from '../../runs/calibration';

/** Logits (N, classes) in row-major order and the N true classes. */
export interface Predictions {
  readonly logits: Float32Array;
  readonly labels: ArrayLike<number>;
  readonly classes: number;
}

/** ln softmax(z / T) of each row of logits z (N, classes):  z_k / T − ln Σ_j exp(z_j / T), finite for every finite z. */
function logSoftmaxRows(logits: Float32Array, classes: number, temperature = 1): Float64Array {
  const result = new Float64Array(logits.length);
  for (let start = 0; start < logits.length; start += classes) {
    const row = logits.subarray(start, start + classes);
    const largest = row.reduce((most, z) => Math.max(most, z), -Infinity);
    const sum = row.reduce((total, z) => total + Math.exp((z - largest) / temperature), 0);
    row.forEach((z, k) => (result[start + k] = (z - largest) / temperature - Math.log(sum)));
  }
  return result;
}

/** softmax(z / T) of each row of logits z (N, classes). */
export function softmaxRows(logits: Float32Array, classes: number, temperature = 1): Float64Array {
  return logSoftmaxRows(logits, classes, temperature).map(Math.exp);
}

/** The entropy H = −Σ_k p_k ln p_k of each row of probabilities (N, classes), in nats. */
export function entropies(scores: Float64Array, classes: number): Float64Array {
  const result = new Float64Array(scores.length / classes);
  scores.forEach((p, i) => (result[Math.floor(i / classes)]! -= p === 0 ? 0 : p * Math.log(p)));
  return result;
}

/** The class with the largest logit of each row; the first one in a tie. */
export function predictedClasses({ logits, labels, classes }: Predictions): Int32Array {
  return Int32Array.from({ length: labels.length }, (_, i) => {
    const row = logits.subarray(i * classes, (i + 1) * classes);
    return row.reduce((best, z, k) => (z > row[best]! ? k : best), 0);
  });
}

/** Fraction of rows whose true class is among the k largest logits; ties favor lower class numbers. */
export function topAccuracy({ logits, labels, classes }: Predictions, k: number): number {
  let hits = 0;
  for (let i = 0; i < labels.length; i++) {
    const row = logits.subarray(i * classes, (i + 1) * classes);
    const label = labels[i]!;
    const before = row.filter((z, other) => z > row[label]! || (z === row[label] && other < label));
    if (before.length < k) hits++;
  }
  return hits / labels.length;
}

/** The cross-entropy −ln softmax(z)[y] of each row. */
export function crossEntropies({ logits, labels, classes }: Predictions): Float64Array {
  const logScores = logSoftmaxRows(logits, classes);
  return Float64Array.from({ length: labels.length }, (_, i) => -logScores[i * classes + labels[i]!]!);
}

/** Counts by true class (row) and predicted class (column). */
export function confusionMatrix(labels: ArrayLike<number>, predicted: ArrayLike<number>, classes: number): number[][] {
  const counts = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (let i = 0; i < labels.length; i++) counts[labels[i]!]![predicted[i]!]!++;
  return counts;
}

/** Fraction of each true class that is predicted correctly; undefined for a class without examples. */
export function classAccuracies(confusion: readonly (readonly number[])[]): (number | undefined)[] {
  return confusion.map((row, k) => {
    const total = row.reduce((sum, count) => sum + count, 0);
    return total === 0 ? undefined : row[k]! / total;
  });
}

export interface LossGroup {
  readonly count: number;
  /** null if the group is empty. */
  readonly mean: number | null;
  readonly total: number;
}

/** The loss of correctly and of wrongly predicted examples. */
export function splitLoss(
  losses: ArrayLike<number>,
  correct: ArrayLike<boolean>,
): Record<'correct' | 'wrong', LossGroup> {
  const group = (wanted: boolean): LossGroup => {
    const chosen = Array.from(losses).filter((_, i) => correct[i] === wanted);
    const total = chosen.reduce((sum, loss) => sum + loss, 0);
    return { count: chosen.length, mean: chosen.length > 0 ? total / chosen.length : null, total };
  };
  return { correct: group(true), wrong: group(false) };
}

/** Mean over rows of KL(p ‖ q) = Σ p (ln p − ln q), with p = softmax(teacher / T) and q = softmax(student / T). */
export function klDivergence(teacher: Float32Array, student: Float32Array, classes: number, temperature = 1): number {
  const logP = logSoftmaxRows(teacher, classes, temperature);
  const logQ = logSoftmaxRows(student, classes, temperature);
  const sum = logP.reduce((total, value, i) => total + Math.exp(value) * (value - logQ[i]!), 0);
  return (sum * classes) / teacher.length;
}

/** The mean row of scores (N, classes) for each true class; zeros for a class without examples. */
export function meanByClass(scores: Float64Array, labels: ArrayLike<number>, classes: number): number[][] {
  const sums = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  const counts = new Array<number>(classes).fill(0);
  for (let i = 0; i < labels.length; i++) {
    counts[labels[i]!]!++;
    sums[labels[i]!]!.forEach((_, k, sum) => (sum[k]! += scores[i * classes + k]!));
  }
  return sums.map((sum, k) => sum.map((total) => total / Math.max(1, counts[k]!)));
}

/** Up to four examples to look at: the most and least confident correct and wrong predictions. */
export function tellingExamples(confidences: ArrayLike<number>, correct: ArrayLike<boolean>): number[] {
  const order = Array.from(confidences, (_, i) => i).sort((a, b) => confidences[b]! - confidences[a]! || a - b);
  const ends = [true, false].flatMap((wanted) => {
    const group = order.filter((i) => correct[i] === wanted);
    return [group[0], group.at(-1)];
  });
  return [...new Set(ends.filter((i) => i !== undefined))];
}

/** All results for the predictions on one split. */
export interface Analysis extends Predictions {
  readonly temperature: number;
  readonly predicted: Int32Array;
  readonly correct: readonly boolean[];
  /** Cross-entropy of each example. */
  readonly losses: Float64Array;
  /** Probability of the predicted class of each example, at temperature 1. */
  readonly confidences: Float64Array;
  /** softmax(z / T), (N, classes); a teacher's likewise. */
  readonly scores: Float64Array;
  readonly teacherScores: Float64Array | undefined;
  /** Counts by true class (row) and predicted class (column). */
  readonly confusion: readonly (readonly number[])[];
  readonly figures: Figures;
}

/** Fractions are in [0, 1], losses in nats. */
export interface Figures {
  readonly accuracy: number;
  readonly top5_accuracy: number;
  readonly loss: number;
  readonly calibration_error: number;
  readonly loss_split: Record<'correct' | 'wrong', LossGroup>;
  /** How close the student is to its teacher: agreement, and KL(teacher ‖ student) at the temperature. */
  readonly teacher?: {
    readonly accuracy: number;
    readonly agreement: number;
    readonly temperature: number;
    readonly kl_divergence: number;
  };
}

/** Analyzes predictions, and compares them to a teacher's if given. */
export function analyze(predictions: Predictions, temperature: number, teacherLogits?: Float32Array): Analysis {
  const { logits, labels, classes } = predictions;
  const predicted = predictedClasses(predictions);
  const correct = Array.from(predicted, (k, i) => k === labels[i]);
  const losses = crossEntropies(predictions);
  const plainScores = softmaxRows(logits, classes);
  const confidences = Float64Array.from(predicted, (k, i) => plainScores[i * classes + k]!);
  const ofTeacher = teacherLogits && { logits: teacherLogits, labels, classes };
  return {
    ...predictions,
    temperature,
    predicted,
    correct,
    losses,
    confidences,
    scores: softmaxRows(logits, classes, temperature),
    teacherScores: teacherLogits && softmaxRows(teacherLogits, classes, temperature),
    confusion: confusionMatrix(labels, predicted, classes),
    figures: {
      accuracy: topAccuracy(predictions, 1),
      top5_accuracy: topAccuracy(predictions, 5),
      loss: losses.reduce((sum, loss) => sum + loss, 0) / losses.length,
      calibration_error: calibrationError(confidences, correct),
      loss_split: splitLoss(losses, correct),
      ...(ofTeacher && {
        teacher: {
          accuracy: topAccuracy(ofTeacher, 1),
          agreement: topAccuracy({ ...ofTeacher, labels: predicted }, 1),
          temperature,
          kl_divergence: klDivergence(teacherLogits, logits, classes, temperature),
        },
      }),
    },
  };
}

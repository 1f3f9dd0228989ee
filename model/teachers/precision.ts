/**
 * The precision of teachers. On 8-bit integers a teacher is compared with itself in float32, and stays what it is if the two
 * agree on too few images.
 */
import { UserError } from '../../utils/errors';
import { evenlySpaced } from '../../utils/spread';
import type { Dataset, Split } from '../data/dataset';
import { calibrationBatches } from '../evaluation/calibration';
import { allOf } from '../evaluation/evaluator';
import { klDivergence, predictedClasses, topAccuracy } from '../evaluation/metrics';
import { predictLogits } from '../evaluation/predict';
import { ensemble } from './ensemble';
import type { Teacher, TeacherContext } from './teacher';

export const teacherPrecisions = ['float32', 'int8'] as const;
export type TeacherPrecision = (typeof teacherPrecisions)[number];

/** The share of images on which both must predict the same class, unless the user says another. */
const AGREEMENT = 0.98;
/** Training images to compare on if there are no validation images. */
const SAMPLE = 512;

/** Logits next to those that they stand for. */
export interface LogitsComparison {
  /** Share of rows with the same largest logit. */
  readonly agreement: number;
  /** Mean of |Δ logit|. */
  readonly mean_difference: number;
  /** Mean KL(softmax(reference / T) ‖ softmax(logits / T)). */
  readonly kl_divergence: number;
}

/** What became of a teacher that was quantized, for run.json. */
export interface QuantizedTeacher extends LogitsComparison {
  readonly precision: TeacherPrecision;
  readonly images: number;
  readonly temperature: number;
}

export interface PrecisionOptions {
  readonly dataset: Dataset;
  /** The images to compare on. */
  readonly validation: { readonly split: Split; readonly indices: Uint32Array };
  /** Of the soft targets. */
  readonly temperature: number;
  /** The agreement below which a teacher stays float32; 0.98 by default. */
  readonly agreement?: number | undefined;
  /** What the log calls the teachers, if it knows. */
  readonly names?: readonly string[];
  /** Whether a teacher is released if one on integers takes its place. */
  readonly isOwned: boolean;
  readonly log: TeacherContext['log'];
}

/** Compares logits (N, classes) with reference logits of the same images. */
export function compareLogits(
  reference: Float32Array,
  logits: Float32Array,
  classes: number,
  temperature: number,
): LogitsComparison {
  const rows = new Int32Array(logits.length / classes);
  const expected = predictedClasses({ logits: reference, labels: rows, classes });
  const total = logits.reduce((sum, z, i) => sum + Math.abs(z - reference[i]!), 0);
  return {
    agreement: topAccuracy({ logits, labels: expected, classes }, 1),
    mean_difference: total / logits.length,
    kl_divergence: klDivergence(reference, logits, classes, temperature),
  };
}

/**
 * A teacher, or each member of several, on 8-bit integers where it agrees with itself in float32. Its ranges are those of
 * training images that depend on the data set alone, so that runs of every seed share its outputs.
 */
export async function onIntegers(
  teacher: Teacher,
  options: PrecisionOptions,
): Promise<{ teacher: Teacher; comparisons: readonly QuantizedTeacher[] }> {
  const chosen: Teacher[] = [];
  const comparisons: QuantizedTeacher[] = [];
  for (const [i, member] of (teacher.members ?? [teacher]).entries()) {
    const { better, comparison } = await compared(member, options.names?.[i], options);
    chosen.push(better);
    comparisons.push(comparison);
  }
  return { teacher: teacher.members ? ensemble(chosen) : chosen[0]!, comparisons };
}

async function compared(
  teacher: Teacher,
  name: string | undefined,
  { dataset, validation, temperature, agreement: least = AGREEMENT, isOwned, log }: PrecisionOptions,
): Promise<{ better: Teacher; comparison: QuantizedTeacher }> {
  const training = { split: dataset.train, indices: evenlySpaced(dataset.train.size, SAMPLE) };
  const { split, indices } = validation.indices.length > 0 ? validation : training;
  if (!teacher.quantized) throw new UserError('"teacher_precision" must be "float32" if "teacher" is no network');
  const quantized = await teacher.quantized(calibrationBatches(dataset, allOf(dataset.train)));
  const reference = await predictLogits(teacher, split, indices, dataset);
  const logits = await predictLogits(quantized, split, indices, dataset);
  const difference = compareLogits(reference, logits, dataset.classes.length, temperature);
  const isClose = difference.agreement >= least;
  const kind = validation.indices.length > 0 ? 'validation' : 'training';
  const line =
    `Teacher${name === undefined ? '' : ` ${name}`}: on 8-bit integers it predicts the class of its float32 self for ` +
    `${(100 * difference.agreement).toFixed(2)} % of ${indices.length} ${kind} images (mean |Δ logit| ` +
    `${difference.mean_difference.toPrecision(3)}, KL ${difference.kl_divergence.toPrecision(3)} at temperature ${temperature})`;
  if (isClose) log('info', line);
  else
    log('warn', `${line}, accepted are ${Number((100 * least).toFixed(4))} % ("teacher_agreement"): it stays float32`);
  if (!isClose) await quantized.release();
  else if (isOwned) await teacher.release();
  const precision = isClose ? 'int8' : 'float32';
  const comparison = { precision, ...difference, images: indices.length, temperature } as const;
  return { better: isClose ? quantized : teacher, comparison };
}

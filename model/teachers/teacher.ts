/** What a teacher is to the rest of the house: logits for the very pixels that the student sees. */
import type { NdArray } from '../../utils/ndarray';
import { topAccuracy } from '../analysis';
import type { Split } from '../data/dataset';
import type { Batch } from '../data/loader';

export interface Teacher {
  /** Logits (N, classes), float32, of a batch of the training set. */
  logits(batch: Batch): Promise<NdArray>;
  release(): Promise<void>;
}

export interface TeacherContext {
  /** Threads that a teacher may use; 0 takes every core. */
  readonly threads: number;
  /** Takes what is worth knowing of a teacher that was loaded, line by line. */
  readonly log: (level: 'info' | 'warn', line: string) => void;
}

/** Below this share of agreement with the labels something is likely to be out of order. */
const EXPECTED_AGREEMENT = 0.5;

/** Logs how well the teacher from `path` agrees with the labels of its first images; `check` is the advice if badly. */
export function reportAgreement(
  log: TeacherContext['log'],
  path: string,
  { shape, data }: NdArray<'float32'>,
  labels: Split['labels'],
  check: string,
): void {
  const [rows = 0, classes = 0] = shape;
  const share = topAccuracy({ logits: data, labels: labels.subarray(0, rows), classes }, 1);
  const line = `Teacher ${path}: agrees with the labels of ${(100 * share).toFixed(1)} % of ${rows} images`;
  if (share < EXPECTED_AGREEMENT) log('warn', `${line}; so little suggests a mistake: check ${check}`);
  else log('info', line);
}

/** The row of logits (N, classes) in which the first NaN or infinity is; −1 where all values are finite. */
export function brokenRow({ shape, data }: NdArray<'float32'>): number {
  const [, classes = 1] = shape;
  const at = data.findIndex((value) => !Number.isFinite(value));
  return at < 0 ? at : Math.floor(at / classes);
}

/** The interface of teachers: their outputs on the same pixels that the student sees. */
import type { Backend } from '../../engine/backends';
import type { NdArray } from '../../formats/ndarray';
import type { Options } from '../../utils/schema_forms';
import type { Dataset } from '../data/dataset';
import type { Batch } from '../data/loader';
import type { Model, TrainedModel } from '../nets/model';

/** Images as they are stored, size × (C, H, W). */
export type StoredImages = Pick<Batch, 'images' | 'size'>;

export interface Teacher {
  /** Shapes of its outputs for one image, by name: `logits` (classes) unless it is an encoder, and what is inside. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** The network itself, if it is one of ours. */
  readonly network?: TrainedModel;
  /** The members of an ensemble. */
  readonly members?: readonly Teacher[];
  /**
   * A digest of all that the outputs `names` depend on besides pixels, threads and machine; absent if they depend on
   * more than the pixels of a batch.
   */
  identity?(names: readonly string[]): string;
  /**
   * The same network on 8-bit integers, which outputs logits alone: ranges of activations are those on these images. Absent
   * if it is none, as for logits in a file; rejects with a UserError that says what cannot be quantized.
   */
  quantized?(images: AsyncIterable<StoredImages>): Promise<Teacher>;
  /** Logits (N, classes), float32, of a batch of the training set; of a teacher that has them. */
  logits(batch: Batch): Promise<NdArray>;
  /** The outputs `names`, (N, …) float32 each, for a batch of the training set. */
  outputs(batch: Batch, names: readonly string[]): Promise<Record<string, NdArray>>;
  release(): Promise<void>;
}

export interface TeacherContext {
  /** Threads for a teacher; 0 uses every core. */
  readonly threads: number;
  /** The backend; the CPU by default. */
  readonly backend?: Backend | undefined;
  /** Path prefix of ONNX Runtime's profile of the teacher, which is written when the teacher is released. */
  readonly profile?: string;
  /** Receives notes about a loaded teacher, line by line. */
  readonly log: (level: 'info' | 'warn', line: string) => void;
  /** Whether it is asked for logits alone: then an ONNX file that has them is not searched for other outputs. */
  readonly onlyLogits?: boolean;
  /** Wraps a teacher with a cache. */
  readonly cache?: { around(teacher: Teacher): Teacher } | undefined;
}

/** The registry entry of a kind of teacher: its options in params.json, and its loader. */
export interface TeacherEntry<Params extends object = object> {
  /**
   * A JSON schema for each option, of which the one that the kind is listed by must be given; `title` says what an option
   * is, `description` what it accepts. `given` is what params.json says of the teacher.
   */
  options(given: Readonly<Record<string, unknown>>): Options;
  /** Whether it was asked before, about the training images as they are stored. */
  readonly isCached?: boolean;
  /** Loads it for a student on the training images of a data set. */
  load(this: void, params: Params, student: Model, dataset: Dataset, context: TeacherContext): Promise<Teacher>;
  /** The file that it comes from. */
  fileOf(this: void, params: Params): string;
  /** What is likely to be mistaken where it does not agree with the labels of a data set. */
  whatToCheck(this: void, dataset: Dataset): string;
}

/** Whether a teacher has logits; an encoder has none. */
export function hasLogits({ shapes }: Pick<Teacher, 'shapes'>): boolean {
  return shapes.has('logits');
}

/** The row of logits (N, classes) with the first NaN or infinity; −1 if all values are finite. */
export function brokenRow({ shape, data }: NdArray<'float32'>): number {
  const [, classes = 1] = shape;
  const at = data.findIndex((value) => !Number.isFinite(value));
  return at < 0 ? at : Math.floor(at / classes);
}

/** A teacher that outputs only logits. */
export function logitsTeacher(classes: number, { logits, release }: Pick<Teacher, 'logits' | 'release'>): Teacher {
  return {
    shapes: new Map([['logits', [classes]]]),
    logits,
    outputs: async (batch) => ({ logits: await logits(batch) }),
    release,
  };
}

/** What a teacher is to the rest of the house: what it makes of the very pixels that the student sees. */
import type { Backend } from '../../engine/backends';
import type { NdArray } from '../../formats/ndarray';
import type { Options } from '../../utils/schema_forms';
import type { Dataset } from '../data/dataset';
import type { Batch } from '../data/loader';
import type { Model, TrainedModel } from '../nets/model';

export interface Teacher {
  /** Shapes for one image of all that it gives, by name: `logits` (classes), and of a network of ours the rest. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** The network itself, where it is one of ours. */
  readonly network?: TrainedModel;
  /** The teachers that it is made of, where there are several. */
  readonly members?: readonly Teacher[];
  /**
   * A digest of all that the outputs called `names` depend on, besides pixels, threads and machine; absent where they depend
   * on more of a batch than its pixels.
   */
  identity?(names: readonly string[]): string;
  /** Logits (N, classes), float32, of a batch of the training set. */
  logits(batch: Batch): Promise<NdArray>;
  /** The outputs called `names`, (N, …) float32 each, for a batch of the training set. */
  outputs(batch: Batch, names: readonly string[]): Promise<Record<string, NdArray>>;
  release(): Promise<void>;
}

export interface TeacherContext {
  /** Threads that a teacher may use; 0 takes every core. */
  readonly threads: number;
  /** Where it runs; the CPU where absent. */
  readonly backend?: Backend | undefined;
  /** Has ONNX Runtime write its profile of the teacher beside this path prefix, when the teacher is released. */
  readonly profile?: string;
  /** Takes what is worth knowing of a teacher that was loaded, line by line. */
  readonly log: (level: 'info' | 'warn', line: string) => void;
  /** Makes a teacher look first for what was computed before. */
  readonly cache?: { around(teacher: Teacher): Teacher } | undefined;
}

/** What a kind of teachers is to the index: its options in params.json, and how it is loaded. */
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

/** The row of logits (N, classes) in which the first NaN or infinity is; −1 where all values are finite. */
export function brokenRow({ shape, data }: NdArray<'float32'>): number {
  const [, classes = 1] = shape;
  const at = data.findIndex((value) => !Number.isFinite(value));
  return at < 0 ? at : Math.floor(at / classes);
}

/** A teacher that gives nothing but logits. */
export function logitsTeacher(classes: number, { logits, release }: Pick<Teacher, 'logits' | 'release'>): Teacher {
  return {
    shapes: new Map([['logits', [classes]]]),
    logits,
    outputs: async (batch) => ({ logits: await logits(batch) }),
    release,
  };
}

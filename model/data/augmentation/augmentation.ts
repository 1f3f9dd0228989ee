/** What an augmentation is to the rest of the house: a change of one image that follows from drawn numbers. */
import type { Schema } from '../../../utils/schema';
import type { ImageShape, Region } from '../dataset';

/** Random numbers of one augmentation of one example in one epoch: number `index` of them, again and again the same. */
export interface Draw {
  /** In [0, 1). */
  uniform(index: number): number;
  /** From 0 to bound − 1. */
  integer(bound: number, index: number): number;
}

/** An image that is partly another one. */
interface Mixed {
  readonly image: Uint8Array;
  /** How much the label of the other one counts, in [0, 1]; the image's own counts for the rest. */
  readonly share: number;
}

/** Images are uint8 values of `shape`, channels first. None is changed in place. */
export interface Augmentation<Options extends object = object> {
  /** One line: what it does, and the paper that it follows. */
  readonly title: string;
  /** JSON schema of each option, with its default. */
  readonly options: Readonly<Record<string, Schema>>;
  apply?(image: Uint8Array, shape: ImageShape, draw: Draw, options: Options): Uint8Array;
  /** What to read of an image of another size, where images come from files and this is the first augmentation. */
  region?(size: readonly [height: number, width: number], draw: Draw, options: Options): Region;
  /** In place of `apply`, for those that mix in another image of the training set, which was augmented as far as this. */
  mix?(image: Uint8Array, other: Uint8Array, shape: ImageShape, draw: Draw, options: Options): Mixed;
}

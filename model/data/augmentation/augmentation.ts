/** The interface of augmentations: a function of one image and random numbers. */
import type { Schema } from '../../../utils/schema';
import type { ImageShape, Region } from '../dataset';

/** Random numbers of one augmentation for one example in one epoch; number `index` is always the same. */
export interface Draw {
  /** In [0, 1). */
  uniform(index: number): number;
  /** From 0 to bound − 1. */
  integer(bound: number, index: number): number;
}

/** An image mixed with another one. */
interface Mixed {
  readonly image: Uint8Array;
  /** Weight of the other image's label, in [0, 1]; the image's own label has the remaining weight. */
  readonly share: number;
}

/** Images are uint8 values of `shape`, channels first. Not changed in place. */
export interface Augmentation<Options extends object = object> {
  /** One line: what it does, and its paper. */
  readonly title: string;
  /** JSON schema of each option, with its default. */
  readonly options: Readonly<Record<string, Schema>>;
  apply?(image: Uint8Array, shape: ImageShape, draw: Draw, options: Options): Uint8Array;
  /** The region to read of an image of another size, if images come from files and this is the first augmentation. */
  region?(size: readonly [height: number, width: number], draw: Draw, options: Options): Region;
  /**
   * Replaces `apply` for augmentations that mix in another training image, to which the earlier steps have been
   * applied.
   */
  mix?(image: Uint8Array, other: Uint8Array, shape: ImageShape, draw: Draw, options: Options): Mixed;
}

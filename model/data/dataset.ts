/** What a dataset is: labelled images of one size, in a training and a test part. */

/** Channels, height, width. */
export type ImageShape = readonly [channels: number, height: number, width: number];

export interface Split {
  /** size × channels × height × width, as stored, 0 … 255. */
  readonly images: Uint8Array;
  /** size class numbers, from 0. */
  readonly labels: Uint8Array | Int32Array;
  readonly size: number;
}

export interface Dataset {
  readonly name: string;
  /** Class names; label i is classes[i]. */
  readonly classes: readonly string[];
  readonly shape: ImageShape;
  /** Mean and standard deviation of each channel's values in [0, 1]: a network sees (value / 255 − mean) / std. */
  readonly normalize: { readonly mean: readonly number[]; readonly std: readonly number[] };
  readonly train: Split;
  readonly test: Split;
}

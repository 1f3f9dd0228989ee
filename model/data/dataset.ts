/** What a dataset is: labeled images of one size, in a training and a test part. */

import { UserError } from '../../utils/errors';

/** Channels, height, width. */
export type ImageShape = readonly [channels: number, height: number, width: number];

/** A part of an image: where it begins, and its sides, in pixels. */
export interface Region {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

interface Labelled {
  /** size class numbers, from 0. */
  readonly labels: Uint8Array | Int32Array;
  readonly size: number;
}

/** Images in memory. */
export interface StoredSplit extends Labelled {
  /** size × channels × height × width, as stored, 0 … 255. */
  readonly images: Uint8Array;
}

/** Images of many sizes that are read from their files when they are wanted. */
export interface FileSplit extends Labelled {
  /** Height and width of an image as it lies ready. */
  sizeOf(example: number): readonly [height: number, width: number];
  /** A region of it, by default the square in its middle, as pixels of the data set's shape. */
  read(example: number, region?: Region): Promise<Uint8Array>;
}

export type Split = StoredSplit | FileSplit;

export interface Dataset<S extends Split = Split> {
  readonly name: string;
  /** Class names; label i is classes[i]. */
  readonly classes: readonly string[];
  readonly shape: ImageShape;
  /** Mean and standard deviation of each channel's values in [0, 1]: a network sees (value / 255 − mean) / std. */
  readonly normalize: { readonly mean: readonly number[]; readonly std: readonly number[] };
  /** What `"augmentation": "yes"` means, names joined by `+`; `crop+flip` where absent. */
  readonly augmentation?: string;
  readonly train: S;
  /** What its authors hold out to validate on, for `"validation": "val"`. */
  readonly validation?: S;
  readonly test: S;
  /** What is worth a line in the log, such as images that were skipped. */
  readonly remarks?: readonly string[];
}

export type StoredDataset = Dataset<StoredSplit>;

/** Refuses a normalization that has no value for each channel of the images; `owner` says in a message whose it is. */
export function checkNormalize(
  owner: string,
  normalize: Dataset['normalize'] | undefined,
  { name, shape: [channels] }: Pick<Dataset, 'name' | 'shape'>,
  images = `images of ${name}`,
): void {
  for (const [key, values] of Object.entries(normalize ?? {})) {
    if (values.length !== channels) {
      throw new UserError(
        `${owner}: "normalize.${key}" is [${values.join(', ')}], accepted is an array of ${channels}, ` +
          `a number for each channel of the ${images}`,
      );
    }
  }
}

/** Pixels of the examples as they are seen in evaluation. */
export async function pixelsOf(split: Split, examples: Uint32Array, shape: ImageShape): Promise<Uint8Array> {
  const imageSize = shape[0] * shape[1] * shape[2];
  const pixels = new Uint8Array(examples.length * imageSize);
  const put = (image: Uint8Array, i: number) => pixels.set(image, i * imageSize);
  if ('images' in split) {
    examples.forEach((example, i) => put(split.images.subarray(example * imageSize, (example + 1) * imageSize), i));
  } else {
    await Promise.all(Array.from(examples, async (example, i) => put(await split.read(example), i)));
  }
  return pixels;
}

/** A dataset: labeled images of one size, split into training and test images. */

import { UserError } from '../../utils/errors';

/** Channels, height, width. */
export type ImageShape = readonly [channels: number, height: number, width: number];

/** A region of an image: its position and size in pixels. */
export interface Region {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

interface Labelled {
  /** Class numbers from 0, one per image. */
  readonly labels: Uint8Array | Int32Array;
  readonly size: number;
}

/** Images in memory. */
export interface StoredSplit extends Labelled {
  /** size × channels × height × width, as stored, 0 … 255. */
  readonly images: Uint8Array;
}

/** Images of various sizes that are read from files on demand. */
export interface FileSplit extends Labelled {
  /** Height and width of a decoded image. */
  sizeOf(example: number): readonly [height: number, width: number];
  /** Whether `read` will find the image in memory; by default no image is. */
  isInMemory?(example: number): boolean;
  /** A region of an image, by default the center square, resized to the data set's shape. */
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
  /** The meaning of `"augmentation": "yes"`, names joined by `+`; `crop+flip` by default. */
  readonly augmentation?: string;
  readonly train: S;
  /** The authors' own validation images, for `"validation": "val"`. */
  readonly validation?: S;
  readonly test: S;
  /** Notes for the log, such as skipped images. */
  readonly remarks?: readonly string[];
}

export type StoredDataset = Dataset<StoredSplit>;

/** Throws unless a normalization has one value per channel of the images; `owner` names it in the message. */
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
          `one number for each channel of the ${images}`,
      );
    }
  }
}

/** Pixels of the examples as used for evaluation. */
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

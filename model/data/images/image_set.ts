/**
 * A data set of images of various sizes, each in its own file or inside a larger one: each is decoded once, at first
 * use, and read on demand afterwards.
 */
import { join } from 'node:path';
import { UserError } from '../../../utils/errors';
import { Random } from '../../../utils/random';
import { fromZero, integer, number, oneOf, text, type Options } from '../../../utils/schema_forms';
import { evenlySpaced } from '../../../utils/spread';
import { counted } from '../../../utils/words';
import type { Dataset, FileSplit, Region } from '../dataset';
import { channelsFirst } from '../files/channels_first';
import { heldOutOptions, type HeldOutParams } from '../files/held_out';
import type { Part } from '../files/parts';
import { decode, failure, readPicture, regionOf, storedSize, type DecodeOptions, type Icc } from './image_file';
import { ImageIndex, sourceOf, type FoundImage } from './image_index';
import type { Picture, PictureSize } from './picture';
import { PictureMemory } from './picture_memory';

/** How images of many sizes are brought to one, checked and kept. */
export interface ImageSetParams extends HeldOutParams {
  /** Their shorter side before cropping; by default 8/7 of `size`, or `size` where the images have that size already. */
  readonly resize?: number;
  /** How to treat color profiles of images; "ignore" by default, as in torchvision. */
  readonly icc?: Icc;
  readonly on_bad_image: 'refuse' | 'skip';
  /** Directory of decoded images, and the most of them that are kept there. */
  readonly cache: string;
  readonly cache_gigabytes: number;
}

/** The options for these; images of `size` are cropped from images of at least that size. */
export const imageSetOptions = (size: unknown): Options => ({
  resize: integer({
    minimum: Number.isInteger(size) ? Number(size) : 224,
    maximum: 8192,
    title:
      'Shorter side to which images are resized before the crop: at least `size`; by default 8/7 of it, or `size` for images that have that size already.',
  }),
  icc: oneOf(['ignore', 'convert'], {
    title: 'Color profiles: `"ignore"` (the default) as torchvision does, or `"convert"` to sRGB.',
  }),
  ...heldOutOptions,
  on_bad_image: oneOf(['refuse', 'skip'], {
    default: 'refuse',
    title: '`"skip"` names invalid images in the log and trains without them.',
  }),
  cache: text({ default: 'data/cache', title: 'Directory of decoded images.' }),
  cache_gigabytes: number({ ...fromZero, default: 20, title: 'Maximum size of the cache for this folder and size.' }),
});

/** Those of the images of ImageNet. */
const normalize = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
/** Maximum number of bad images that are listed. */
const NAMED = 20;

export interface LabelledImage extends FoundImage {
  readonly part: Part;
  readonly label: number;
}

/** Labeled images, and notes for the log about how they were found. */
export interface ImageSet {
  readonly classes: readonly string[];
  readonly images: readonly LabelledImage[];
  readonly remarks: readonly string[];
}

/** A valid, decoded image: what a training keeps of each in memory. */
interface ReadyImage extends Pick<LabelledImage, 'file' | 'content' | 'part' | 'label'>, PictureSize {
  /** Path of the decoded image, if cached. */
  readonly cached: string | undefined;
}

export type ImageProgress = (done: number, total: number) => void;

/**
 * Checks the images of a data set in `dir`. Throws a UserError that names a bad image if these are refused, a class
 * without training images, or a split without images.
 */
export async function loadImageSet(
  name: string,
  dir: string,
  { classes, images, remarks }: ImageSet,
  params: ImageSetParams & { readonly size: number },
  onProgress?: ImageProgress,
): Promise<Dataset<FileSplit>> {
  const { size, on_bad_image: onBadImage, icc = 'ignore' } = params;
  const { index, verdicts } = await ImageIndex.of(dir, images, {
    side: params.resize ?? ((await areOfSize(dir, images, size, icc)) ? size : Math.round((size * 8) / 7)),
    icc,
    cache: params.cache,
    maxBytes: params.cache_gigabytes * 1e9,
    onProgress,
  });
  const bad: string[] = [];
  const ready = images.flatMap((image, i): ReadyImage[] => {
    const verdict = verdicts[i]!;
    if ('reason' in verdict) {
      bad.push(`${join(dir, image.file)}: ${verdict.reason}`);
      return [];
    }
    const { file, content, part, label } = image;
    const { height, width, cached } = verdict;
    return [{ file, content, part, label, height, width, cached: cached ? index.cachePath(image) : undefined }];
  });
  if (bad.length > 0 && onBadImage === 'refuse') {
    const more = bad.length > 1 ? `, and ${counted(bad.length - 1, 'more bad image')}` : '';
    throw new UserError(`${bad[0]}${more}; remove bad images, or set "dataset.on_bad_image" to "skip"`);
  }
  refuseEmpty(dir, classes, ready);
  const splitOf = (part: Part): FileSplit =>
    splitFrom(
      dir,
      ready.filter((image) => image.part === part),
      index.options,
      size,
    );
  const has = (part: Part) => ready.some((image) => image.part === part);
  return {
    name,
    classes,
    shape: [3, size, size],
    normalize,
    augmentation: 'random_resized_crop+flip',
    train: splitOf('train'),
    ...(has('test') && has('val') && { validation: splitOf('val') }),
    test: splitOf(has('test') ? 'test' : 'val'),
    remarks: [
      ...remarks,
      ...bad.slice(0, NAMED).map((line) => `${line}; skipped`),
      ...(bad.length > NAMED ? [`${dir}: ${bad.length} bad images in all, skipped`] : []),
    ],
  };
}

/** Images whose size is looked at. */
const LOOKED_AT = 100;

/** Whether images are squares of `size` pixels before anything is done to them, as far as a look at some of them tells. */
async function areOfSize(dir: string, images: readonly LabelledImage[], size: number, icc: Icc): Promise<boolean> {
  let found = 0;
  for (const place of evenlySpaced(images.length, LOOKED_AT)) {
    // A bad image is told of later.
    const own = await sourceOf(dir, images[place]!)
      .then((source) => storedSize(source, icc))
      .catch(() => undefined);
    if (own && (own.width !== size || own.height !== size)) return false;
    if (own) found++;
  }
  return found > 0;
}

/** round(test · n) of the n images of each class become test images, chosen by the seed. */
export function heldOut<T extends { readonly part: Part; readonly label: number }>(
  images: readonly T[],
  classes: number,
  { test, seed }: Pick<ImageSetParams, 'test' | 'seed'>,
): T[] {
  const random = new Random(seed, 'folder');
  const byClass = Array.from({ length: classes }, (): T[] => []);
  for (const image of images) byClass[image.label]!.push(image);
  return byClass.flatMap((own, label) => {
    const chosen = new Set(random.permutation(own.length, label).subarray(0, Math.round(test * own.length)));
    return own.map((image, i): T => (chosen.has(i) ? { ...image, part: 'test' } : image));
  });
}

function refuseEmpty(
  dir: string,
  classes: readonly string[],
  images: readonly Pick<LabelledImage, 'part' | 'label'>[],
): void {
  const trained = new Set(images.filter(({ part }) => part === 'train').map(({ label }) => label));
  if (trained.size === 0) throw new UserError(`${dir}: contains no training images`);
  const empty = classes.filter((_, label) => !trained.has(label));
  if (empty.length > 0) {
    const more = empty.length > 1 ? `, nor for ${empty.length - 1} other classes` : '';
    throw new UserError(`${dir}: no training images for the class ${JSON.stringify(empty[0])}${more}`);
  }
  if (images.length === images.filter(({ part }) => part === 'train').length) {
    throw new UserError(`${dir}: contains no test images`);
  }
}

/** The images of a split, read on demand; where all of them fit in memory, each is read once. */
function splitFrom(dir: string, images: readonly ReadyImage[], how: DecodeOptions, size: number): FileSplit {
  const memory = PictureMemory.of(images);
  const decodedAnew = async (image: ReadyImage): Promise<Picture> => {
    const path = join(dir, image.file);
    const decoded = await decode(await sourceOf(dir, image), how).catch((error: unknown) => {
      throw new UserError(`${path}: ${failure(error)}; it was readable when the run started`);
    });
    if (decoded.height !== image.height || decoded.width !== image.width) {
      throw new UserError(`${path}: has changed since the run started`);
    }
    return decoded;
  };
  const pictureOf = async (image: ReadyImage): Promise<Picture> => {
    // What is no longer in the cache is decoded once more.
    const kept = image.cached === undefined ? undefined : await readPicture(image.cached, image).catch(() => undefined);
    return kept ?? (await decodedAnew(image));
  };
  return {
    size: images.length,
    labels: Int32Array.from(images, ({ label }) => label),
    sizeOf: (example) => [images[example]!.height, images[example]!.width],
    isInMemory: (example) => memory?.has(example) ?? false,
    read: async (example, region) => {
      const image = images[example]!;
      const place = region ?? middle(image, size);
      let picture = memory?.get(example);
      if (!picture) {
        picture = await pictureOf(image);
        memory?.put(example, picture);
      }
      return channelsFirst(await regionOf(picture, place, size), size * size);
    },
  };
}

/** The center square of `side`, at the position of torchvision's `CenterCrop`. */
function middle({ height, width }: PictureSize, side: number): Region {
  return { left: halved(width - side), top: halved(height - side), width: side, height: side };
}

/** Half of an integer, rounded half to even as in Python. */
function halved(value: number): number {
  return value % 2 === 0 ? value / 2 : 2 * Math.round(value / 4);
}

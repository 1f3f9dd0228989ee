/**
 * Encoded images inside larger files: with `size` they are read on demand, as images in folders are; otherwise all must
 * have the same size and are decoded into memory.
 */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { UserError } from '../../../utils/errors';
import { integer, text, type Options } from '../../../utils/schema_forms';
import type { Dataset, ImageShape, StoredSplit } from '../dataset';
import type { Part } from '../files/parts';
import { storedDataset } from '../files/stored';
import { decodeWhole, failure, type Icc } from './image_file';
import type { FoundImage } from './image_index';
import {
  heldOut,
  imageSetOptions,
  loadImageSet,
  type ImageProgress,
  type ImageSet,
  type ImageSetParams,
  type LabelledImage,
} from './image_set';
import type { Picture } from './picture';

/** Encoded images inside larger files. */
export interface PackedParams extends ImageSetParams {
  readonly dir: string;
  /** Side of the images in pixels; by default all have the same size and are kept in memory. */
  readonly size?: number;
}

export const packedOptions = (what: string, size: unknown): Options => ({
  dir: text({ title: what }),
  size: integer({
    minimum: 8,
    maximum: 4096,
    title: 'Side of the images in pixels; without it, all images must have one size.',
  }),
  ...imageSetOptions(size),
});

export interface PackedImage extends LabelledImage {
  readonly content: NonNullable<FoundImage['content']>;
}

export interface PackedSet extends ImageSet {
  readonly images: readonly PackedImage[];
}

/** Maximum bytes of images in memory. */
const MAX_BYTES = 2 ** 32;
/** Images that wait for a decoder at the same time. */
const PIECE = 500;

export async function loadPacked(
  name: string,
  dir: string,
  set: PackedSet,
  params: PackedParams,
  onProgress?: ImageProgress,
): Promise<Dataset> {
  const { size } = params;
  if (size !== undefined) {
    const isWhole = set.images.some(({ part }) => part !== 'train');
    const images = isWhole ? set.images : heldOut(set.images, set.classes.length, params);
    return loadImageSet(name, dir, { ...set, images }, { ...params, size }, onProgress);
  }
  const store = new Store(dir, set.images, params.icc ?? 'ignore');
  const skipped = await store.fill(params.on_bad_image, onProgress);
  const train = store.split('train');
  if (!train) throw new UserError(`${dir}: contains no training images`);
  const [val, test] = [store.split('val'), store.split('test')];
  const parts = { train, ...(val && { val }), ...(test && { test }) };
  return {
    ...storedDataset({ name, place: dir, classes: set.classes, shape: store.shape }, parts, params),
    remarks: [...set.remarks, ...skipped.map((line) => `${line}; skipped`)],
  };
}

/** Images of one size, split by split in order. */
class Store {
  private readonly parts = new Map<Part, { images: Uint8Array; labels: Int32Array; size: number }>();
  private sides: readonly [height: number, width: number] = [0, 0];
  private channels: 1 | 3 = 1;

  constructor(
    private readonly dir: string,
    private readonly all: readonly PackedImage[],
    private readonly icc: Icc,
  ) {}

  get shape(): ImageShape {
    return [this.channels, ...this.sides];
  }

  /** Decodes all images; returns messages about bad ones. */
  async fill(onBad: 'refuse' | 'skip', onProgress?: ImageProgress): Promise<string[]> {
    const bad: string[] = [];
    const limit = pLimit(2 * availableParallelism());
    const decoded = async (image: PackedImage) => {
      try {
        return await decodeWhole(await image.content(), this.icc);
      } catch (error) {
        return { reason: failure(error) };
      }
    };
    for (let start = 0; start < this.all.length; start += PIECE) {
      const piece = this.all.slice(start, start + PIECE);
      const pictures = await Promise.all(piece.map((image) => limit(decoded, image)));
      pictures.forEach((picture, i) => {
        const image = piece[i]!;
        if ('reason' in picture) bad.push(`${join(this.dir, image.file)}: ${picture.reason}`);
        else this.put(image, picture);
      });
      if (bad.length > 0 && onBad === 'refuse') {
        throw new UserError(`${bad[0]}; set "dataset.on_bad_image" to "skip" to ignore bad images`);
      }
      onProgress?.(Math.min(start + PIECE, this.all.length), this.all.length);
    }
    return bad;
  }

  split(part: Part): StoredSplit | undefined {
    const own = this.parts.get(part);
    if (!own) return undefined;
    const bytes = this.channels * this.sides[0] * this.sides[1];
    return { images: own.images.subarray(0, own.size * bytes), labels: own.labels.slice(0, own.size), size: own.size };
  }

  private put(image: PackedImage, picture: Picture & { isGray: boolean }): void {
    const { height, width, pixels, isGray } = picture;
    if (this.parts.size === 0) {
      this.sides = [height, width];
      this.channels = isGray ? 1 : 3;
    }
    const [ownHeight, ownWidth] = this.sides;
    if (height !== ownHeight || width !== ownWidth) {
      throw new UserError(
        `${join(this.dir, image.file)}: ${height} × ${width}, but others are ${ownHeight} × ${ownWidth}: set "dataset.size" to ` +
          'resize all of them',
      );
    }
    if (!isGray && this.channels === 1) this.color();
    const plane = height * width;
    const own = this.partOf(image.part, this.channels * plane);
    const at = own.size * this.channels * plane;
    for (let channel = 0; channel < this.channels; channel++) {
      for (let i = 0, to = at + channel * plane, from = channel; i < plane; i++, from += 3)
        own.images[to++] = pixels[from]!;
    }
    own.labels[own.size++] = image.label;
  }

  private partOf(part: Part, bytes: number) {
    const own = this.parts.get(part);
    if (own) return own;
    const size = this.all.filter((image) => image.part === part).length;
    if (size * bytes > MAX_BYTES) {
      throw new UserError(
        `${this.dir}: ${size} images of ${bytes} bytes do not fit in memory: set "dataset.size" to read them on demand`,
      );
    }
    const made = { images: new Uint8Array(size * bytes), labels: new Int32Array(size), size: 0 };
    this.parts.set(part, made);
    return made;
  }

  /** Converts earlier grayscale images to RGB when the first color image appears. */
  private color(): void {
    const plane = this.sides[0] * this.sides[1];
    for (const own of this.parts.values()) {
      const images = new Uint8Array(3 * own.images.length);
      for (let image = 0; image < own.size; image++) {
        const gray = own.images.subarray(image * plane, (image + 1) * plane);
        for (let channel = 0; channel < 3; channel++) images.set(gray, (3 * image + channel) * plane);
      }
      own.images = images;
    }
    this.channels = 3;
  }
}

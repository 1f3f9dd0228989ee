/** Decoded images that stay in memory: opening a file for each small image of each epoch costs more than a copy of its pixels. */
import { availableBytes } from '../../../utils/memory';
import { pictureBytes, type Picture, type PictureSize } from './picture';

/** 60,000 images of 32 × 32 are 184 MB; the photographs of ImageNet are read from their cache each time. */
const MOST_BYTES = 2 ** 29;
/** At most this share of the memory that is left is used for a split. */
const MOST_OF_AVAILABLE = 1 / 8;

/** Room for all images of a split, one after the other; the system gives the memory as it is filled. */
export class PictureMemory {
  private constructor(
    private readonly sizes: readonly PictureSize[],
    /** Where each image starts. */
    private readonly starts: Float64Array,
    private readonly pixels: Uint8Array,
    private readonly isFilled: Uint8Array,
  ) {}

  /** Undefined if the images take more than `most` bytes. */
  static of(
    sizes: readonly PictureSize[],
    most = Math.min(MOST_BYTES, MOST_OF_AVAILABLE * availableBytes()),
  ): PictureMemory | undefined {
    const starts = new Float64Array(sizes.length);
    let bytes = 0;
    sizes.forEach((size, i) => {
      starts[i] = bytes;
      bytes += pictureBytes(size);
    });
    return bytes <= most
      ? new PictureMemory(sizes, starts, new Uint8Array(bytes), new Uint8Array(sizes.length))
      : undefined;
  }

  /** Whether image number `i` was put here. */
  has(i: number): boolean {
    return this.isFilled[i] === 1;
  }

  /** Image number `i`, as a view, if it was put here. */
  get(i: number): Picture | undefined {
    if (!this.has(i)) return undefined;
    const { height, width } = this.sizes[i]!;
    const start = this.starts[i]!;
    return { height, width, pixels: this.pixels.subarray(start, start + pictureBytes({ height, width })) };
  }

  put(i: number, { pixels }: Picture): void {
    this.pixels.set(pixels, this.starts[i]);
    this.isFilled[i] = 1;
  }
}

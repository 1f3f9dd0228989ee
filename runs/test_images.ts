/** Some test images of a run, small enough to be shown beside its predictions, in images_test.safetensors. */
import { ndarray, type NdArray } from '../formats/ndarray';
import { readSafetensors, writeSafetensors } from '../formats/safetensors';
import { UserError } from '../utils/errors';

export interface TestImages {
  /** Example numbers within the test images. */
  readonly indices: Int32Array;
  /** Gray or RGB. */
  readonly shape: readonly [channels: 1 | 3, height: number, width: number];
  /** images × channels × height × width, 0 … 255. */
  readonly pixels: Uint8Array;
}

/** Longest side of an image in pixels. */
export const MOST_SIDE = 64;

export function writeTestImages(path: string, { indices, shape, pixels }: TestImages): void {
  const tensors = new Map<string, NdArray>([
    ['indices', ndarray('int32', [indices.length], indices)],
    ['images', ndarray('uint8', [indices.length, ...shape], pixels)],
  ]);
  writeSafetensors(path, tensors);
}

/** Reads a file. Throws a UserError that names the file if it is missing, damaged or something else. */
export function readTestImages(path: string): TestImages {
  const { tensors } = readSafetensors(path);
  const [indices, images] = [tensors.get('indices'), tensors.get('images')];
  const [count, channels, height, width] = images?.shape ?? [];
  const isWhole = indices?.shape.length === 1 && indices.shape[0] === count && images?.shape.length === 4;
  const isSmall = [height, width].every((side = 0) => side >= 1 && side <= MOST_SIDE);
  if (
    indices?.dtype !== 'int32' ||
    images?.dtype !== 'uint8' ||
    !(isWhole && isSmall) ||
    (channels !== 1 && channels !== 3)
  ) {
    const accepted = `int32 "indices" of gray or RGB "images" of up to ${MOST_SIDE} × ${MOST_SIDE} pixels`;
    throw new UserError(`${path}: not the test images of a run: accepted are ${accepted}`);
  }
  return {
    indices: indices.data as Int32Array,
    shape: [channels, height!, width!],
    pixels: images.data as Uint8Array,
  };
}

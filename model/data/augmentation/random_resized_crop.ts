/** Random crop of random size and shape (Szegedy et al., "Going deeper with convolutions", 2015, section 6), as torchvision has it. */
import type { Region } from '../dataset';
import type { Augmentation, Draw } from './augmentation';
import { resized } from '../images/resize';

export interface RandomResizedCropOptions {
  readonly scale: number;
  readonly ratio: number;
}

const TRIES = 10;

/**
 * A region of U(scale, 1) of the area whose width is to its height as exp(U(−ln ratio, ln ratio)), anywhere in the image.
 * After ten that do not fit it is the largest in the middle whose sides are in such a relation.
 */
export function randomRegion(
  [height, width]: readonly [height: number, width: number],
  draw: Draw,
  { scale, ratio }: RandomResizedCropOptions,
): Region {
  for (let i = 0; i < TRIES; i++) {
    const area = height * width * (scale + (1 - scale) * draw.uniform(4 * i));
    const relation = Math.exp(Math.log(ratio) * (2 * draw.uniform(4 * i + 1) - 1));
    const w = Math.round(Math.sqrt(area * relation));
    const h = Math.round(Math.sqrt(area / relation));
    if (w < 1 || h < 1 || w > width || h > height) continue;
    const left = draw.integer(width - w + 1, 4 * i + 2);
    return { left, top: draw.integer(height - h + 1, 4 * i + 3), width: w, height: h };
  }
  const w = Math.max(1, Math.min(width, Math.round(height * ratio)));
  const h = Math.max(1, Math.min(height, Math.round(width * ratio)));
  return { left: Math.floor((width - w) / 2), top: Math.floor((height - h) / 2), width: w, height: h };
}

export const randomResizedCrop: Augmentation<RandomResizedCropOptions> = {
  title: 'A region of random size and shape, brought to the size of the images (Szegedy et al. 2015)',
  options: {
    scale: {
      type: 'number',
      minimum: 0.01,
      maximum: 1,
      default: 0.08,
      title: 'smallest share of the area; the largest is 1',
    },
    ratio: {
      type: 'number',
      minimum: 1,
      maximum: 10,
      default: 4 / 3,
      title: 'the longer side is at most so many times the shorter one',
    },
  },
  region: randomRegion,
  apply: (image, shape, draw, options) => resized(image, shape, randomRegion([shape[1], shape[2]], draw, options)),
};

/**
 * Random crop of random size and shape (Szegedy et al., "Going deeper with convolutions", 2015, section 6), as in
 * torchvision.
 */
import type { Region } from '../dataset';
import { resized } from '../images/resize';
import type { Augmentation, Draw } from './augmentation';

export interface RandomResizedCropOptions {
  readonly scale: number;
  readonly ratio: number;
}

const TRIES = 10;

/**
 * A random region with U(scale, 1) of the area and aspect ratio exp(U(−ln ratio, ln ratio)). After ten regions that do
 * not fit, it is the largest centered one with a valid aspect ratio.
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
  title: 'Crops a region of random area and aspect ratio and resizes it (Szegedy et al. 2015)',
  options: {
    scale: {
      type: 'number',
      minimum: 0.01,
      maximum: 1,
      default: 0.08,
      title: 'minimum fraction of the area; the maximum is 1',
    },
    ratio: {
      type: 'number',
      minimum: 1,
      maximum: 10,
      default: 4 / 3,
      title: 'maximum aspect ratio, longer side to shorter side',
    },
  },
  region: randomRegion,
  apply: (image, shape, draw, options) => resized(image, shape, randomRegion([shape[1], shape[2]], draw, options)),
};

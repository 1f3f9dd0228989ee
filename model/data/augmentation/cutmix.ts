/** CutMix (Yun et al., "CutMix: regularization strategy to train strong classifiers with localizable features", 2019). */
import type { Augmentation } from './augmentation';
import { alphaOption, beta } from './beta';
import { filled } from './box';

export interface CutmixOptions {
  readonly alpha: number;
  readonly probability: number;
}

/**
 * A box of the other image, of √(1 − λ) of its sides about a random pixel, is pasted in; λ is of Beta(α, α). The labels
 * are mixed by the area that the box has within the image.
 */
export const cutmix: Augmentation<CutmixOptions> = {
  title: 'A box of another example is pasted in, and labels are mixed by its area (Yun et al. 2019)',
  options: {
    alpha: alphaOption,
    probability: {
      type: 'number',
      minimum: 0,
      maximum: 1,
      default: 0.5,
      title: "share of the images that get one; the authors' value for CIFAR",
    },
  },
  mix(image, other, shape, draw, { alpha, probability }) {
    if (draw.uniform(0) >= probability) return { image, share: 0 };
    const [, height, width] = shape;
    const part = Math.sqrt(1 - beta(draw, alpha, 4));
    const span = (length: number, center: number): [from: number, to: number] => {
      const half = Math.floor(Math.floor(length * part) / 2);
      return [Math.max(0, center - half), Math.min(length, center + half)];
    };
    const [top, bottom] = span(height, draw.integer(height, 1));
    const [left, right] = span(width, draw.integer(width, 2));
    const mixed = filled(image, shape, { top, bottom, left, right }, (place) => other[place]!);
    return { image: mixed, share: ((bottom - top) * (right - left)) / (height * width) };
  },
};

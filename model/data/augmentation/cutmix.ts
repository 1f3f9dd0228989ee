/** CutMix (Yun et al., "CutMix: regularization strategy to train strong classifiers with localizable features", 2019). */
import type { Augmentation } from './augmentation';
import { alphaOption, beta } from './beta';
import { filled } from './box';

export interface CutmixOptions {
  readonly alpha: number;
  readonly probability: number;
}

/**
 * Pastes a box of the other image, centered at a random pixel, with √(1 − λ) of its sides and λ ~ Beta(α, α). Labels
 * are mixed in proportion to the area of the box within the image.
 */
export const cutmix: Augmentation<CutmixOptions> = {
  title: 'Pastes a box of another example and mixes labels by its area (Yun et al. 2019)',
  options: {
    alpha: alphaOption,
    probability: {
      type: 'number',
      minimum: 0,
      maximum: 1,
      default: 0.5,
      title: "probability; the default is the authors' value for CIFAR",
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

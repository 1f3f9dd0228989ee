/** mixup (Zhang, Cisse, Dauphin & Lopez-Paz, "mixup: beyond empirical risk minimization", 2018). */
import type { Augmentation } from './augmentation';
import { alphaOption, beta } from './beta';

export interface MixupOptions {
  readonly alpha: number;
}

/** x̃ = λ x + (1 − λ) x', ỹ = λ y + (1 − λ) y' with λ of Beta(α, α), drawn for each example. */
export const mixup: Augmentation<MixupOptions> = {
  title: 'Blends images and labels with those of another example (Zhang et al. 2018)',
  options: { alpha: alphaOption },
  mix(image, other, _, draw, { alpha }) {
    const own = beta(draw, alpha, 0);
    return { image: image.map((value, i) => Math.round(own * value + (1 - own) * other[i]!)), share: 1 - own };
  },
};

/** The symmetric beta distribution, from which mixing ratios are drawn. */
import type { Draw } from './augmentation';

/**
 * A value of Beta(α, α) (Jöhnk 1964): with X = U^{1/α} and Y = V^{1/α} of uniform U and V, drawn again until X + Y ≤ 1,
 * it is X / (X + Y). Uses the draws from number `first`. The expected number of pairs, Γ(2α + 1) / Γ(α + 1)², is 2 at α
 * = 1 and 6 at α = 2.
 */
export function beta(draw: Draw, alpha: number, first: number): number {
  for (let index = first; ; index += 2) {
    const x = draw.uniform(index) ** (1 / alpha);
    const y = draw.uniform(index + 1) ** (1 / alpha);
    if (x + y <= 1 && x + y > 0) return x / (x + y);
  }
}

/** The option `alpha` of augmentations that use this distribution. */
export const alphaOption = {
  type: 'number',
  minimum: 0.05,
  maximum: 4,
  default: 1,
  title: 'both parameters of the beta distribution of the mixing ratio; 1 is uniform',
};

/** Held-out test images for data sets without a test set. */
import { number, part, seed } from '../../../utils/schema_forms';

export interface HeldOutParams {
  /** Fraction of a data set without test images that is held out for testing, drawn by `seed`. */
  readonly test: number;
  readonly seed: number;
}

export const heldOutOptions = {
  test: number({
    ...part,
    default: 0.2,
    title: 'Share of each class that is held out for testing if there are no test images.',
  }),
  seed: seed(0, 'Seed of what is drawn or held out.'),
};

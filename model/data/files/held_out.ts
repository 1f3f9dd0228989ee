/** Sets without images to test on: what is held out for it. */
import { number, part, seed } from '../../../utils/schema_forms';

export interface HeldOutParams {
  /** Part of a set without images to test on that is held out for it, drawn by `seed`. */
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

/** How pixels are normalized before a network sees them. */
import type { Schema } from '../../utils/schema';
import { number, object, positive } from '../../utils/schema_forms';

/** Statistics of the pixels, in [0, 1], that a network was trained with, a value per channel. */
export interface NormalizeParams {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

const perChannel = (range: Schema): Schema => ({
  type: 'array',
  items: number(range),
  minItems: 1,
  maxItems: 3,
  description: 'an array of 1 or 3 numbers, one for each channel of the images',
});

export const normalizeSchema = (title: string): Schema =>
  object(
    {
      mean: { ...perChannel({}), title: 'Mean of each channel.' },
      std: { ...perChannel(positive), title: 'Standard deviation of each channel.' },
    },
    ['mean', 'std'],
    { title },
  );

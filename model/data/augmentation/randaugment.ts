/**
 * RandAugment (Cubuk, Zoph, Shlens & Le, "RandAugment: practical automated data augmentation with a reduced search space",
 * 2019): N operations, each drawn from 14 with equal chances, all at the magnitude M.
 */
import type { Augmentation } from './augmentation';
import { operations, type Operation } from './operations';

export interface RandaugmentOptions {
  readonly n: number;
  readonly m: number;
}

const choices: readonly Operation[] = [
  ...Object.values<Operation>(operations).filter((operation) => operation !== operations.invert),
  (image) => image,
];

export const randaugment: Augmentation<RandaugmentOptions> = {
  title: 'N of 14 operations at magnitude M (Cubuk et al. 2019)',
  options: {
    n: { type: 'integer', minimum: 1, default: 2, title: 'number of operations per image' },
    m: {
      type: 'number',
      minimum: 0,
      maximum: 10,
      default: 5,
      title: 'magnitude; 10 is the maximum of each operation; operations with a direction use both',
    },
  },
  apply(image, shape, draw, { n, m }) {
    return Array.from({ length: n }).reduce<Uint8Array>((seen, __, i) => {
      const operation = choices[draw.integer(choices.length, 2 * i)]!;
      return operation(seen, shape, m / 10, draw.integer(2, 2 * i + 1) === 0 ? 1 : -1);
    }, image);
  },
};

/**
 * AutoAugment's policy for CIFAR-10 (Cubuk, Zoph, Mané, Vasudevan & Le, "AutoAugment: learning augmentation policies
 * from data", 2018, table 7), in the form common in PyTorch: rotations in one direction, gray fill for shears and
 * shifts.
 */
import type { Augmentation } from './augmentation';
import { operations } from './operations';

type Part = readonly [name: keyof typeof operations, probability: number, level: number];

/** One of the 25 pairs is drawn; each of its operations is applied with its probability. Levels range from 0 to 9. */
export const policy: readonly (readonly [Part, Part])[] = [
  [
    ['invert', 0.1, 7],
    ['contrast', 0.2, 6],
  ],
  [
    ['rotate', 0.7, 2],
    ['translateX', 0.3, 9],
  ],
  [
    ['sharpness', 0.8, 1],
    ['sharpness', 0.9, 3],
  ],
  [
    ['shearY', 0.5, 8],
    ['translateY', 0.7, 9],
  ],
  [
    ['autocontrast', 0.5, 8],
    ['equalize', 0.9, 2],
  ],
  [
    ['shearY', 0.2, 7],
    ['posterize', 0.3, 7],
  ],
  [
    ['color', 0.4, 3],
    ['brightness', 0.6, 7],
  ],
  [
    ['sharpness', 0.3, 9],
    ['brightness', 0.7, 9],
  ],
  [
    ['equalize', 0.6, 5],
    ['equalize', 0.5, 1],
  ],
  [
    ['contrast', 0.6, 7],
    ['sharpness', 0.6, 5],
  ],
  [
    ['color', 0.7, 7],
    ['translateX', 0.5, 8],
  ],
  [
    ['equalize', 0.3, 7],
    ['autocontrast', 0.4, 8],
  ],
  [
    ['translateY', 0.4, 3],
    ['sharpness', 0.2, 6],
  ],
  [
    ['brightness', 0.9, 6],
    ['color', 0.2, 8],
  ],
  [
    ['solarize', 0.5, 2],
    ['invert', 0, 3],
  ],
  [
    ['equalize', 0.2, 0],
    ['autocontrast', 0.6, 0],
  ],
  [
    ['equalize', 0.2, 8],
    ['equalize', 0.8, 4],
  ],
  [
    ['color', 0.9, 9],
    ['equalize', 0.6, 6],
  ],
  [
    ['autocontrast', 0.8, 4],
    ['solarize', 0.2, 8],
  ],
  [
    ['brightness', 0.1, 3],
    ['color', 0.7, 0],
  ],
  [
    ['solarize', 0.4, 5],
    ['autocontrast', 0.9, 3],
  ],
  [
    ['translateY', 0.9, 9],
    ['translateY', 0.7, 9],
  ],
  [
    ['autocontrast', 0.9, 2],
    ['solarize', 0.8, 3],
  ],
  [
    ['equalize', 0.8, 8],
    ['invert', 0.1, 3],
  ],
  [
    ['translateY', 0.7, 9],
    ['autocontrast', 0.9, 1],
  ],
];

export const autoaugment: Augmentation = {
  title: "AutoAugment's policy for CIFAR-10 (Cubuk et al. 2018)",
  options: {},
  apply(image, shape, draw) {
    const chosen = policy[draw.integer(policy.length, 0)]!;
    return chosen.reduce((seen, [name, probability, level], i) => {
      if (draw.uniform(1 + 2 * i) >= probability) return seen;
      const sign = name === 'rotate' || draw.integer(2, 2 + 2 * i) === 0 ? 1 : -1;
      return operations[name](seen, shape, level / 9, sign);
    }, image);
  },
};

/** The operations of policies, each with a strength from 0 to 1 and a sign (Cubuk et al. 2018, table 6). */
import type { ImageShape } from '../dataset';
import { autocontrast, brightness, color, contrast, equalize, invert, posterize, sharpness, solarize } from './color';
import { rotate, shearX, shearY, translateX, translateY } from './geometry';

export type Operation = (image: Uint8Array, shape: ImageShape, strength: number, sign: 1 | -1) => Uint8Array;

/** Largest shear, shift (150 of 331 pixels), angle in degrees, change of a factor. */
const [SHEAR, SHIFT, ANGLE, CHANGE] = [0.3, 150 / 331, 30, 0.9];

export const operations = {
  shearX: (image, shape, strength, sign) => shearX(image, shape, sign * strength * SHEAR),
  shearY: (image, shape, strength, sign) => shearY(image, shape, sign * strength * SHEAR),
  translateX: (image, shape, strength, sign) => translateX(image, shape, sign * strength * SHIFT),
  translateY: (image, shape, strength, sign) => translateY(image, shape, sign * strength * SHIFT),
  rotate: (image, shape, strength, sign) => rotate(image, shape, sign * strength * ANGLE),
  color: (image, shape, strength, sign) => color(image, shape, 1 + sign * strength * CHANGE),
  contrast: (image, shape, strength, sign) => contrast(image, shape, 1 + sign * strength * CHANGE),
  sharpness: (image, shape, strength, sign) => sharpness(image, shape, 1 + sign * strength * CHANGE),
  brightness: (image, _, strength, sign) => brightness(image, 1 + sign * strength * CHANGE),
  posterize: (image, _, strength) => posterize(image, 8 - Math.round(4 * strength)),
  solarize: (image, _, strength) => solarize(image, 256 * (1 - strength)),
  autocontrast: (image, shape) => autocontrast(image, shape),
  equalize: (image, shape) => equalize(image, shape),
  invert: (image) => invert(image),
} satisfies Readonly<Record<string, Operation>>;

/**
 * Random brightness, contrast and saturation in random order (Howard, "Some improvements on deep convolutional neural
 * network based image classification", 2013), with the operations of the Python Imaging Library as in torchvision's
 * ColorJitter.
 */
import type { Schema } from '../../../utils/schema';
import type { Augmentation } from './augmentation';
import { brightness, color, contrast } from './color';

export interface ColorJitterOptions {
  readonly brightness: number;
  readonly contrast: number;
  readonly saturation: number;
}

const strength = (title: string): Schema => ({ type: 'number', minimum: 0, maximum: 1, default: 0.4, title });
const orders = ['bcs', 'bsc', 'cbs', 'csb', 'sbc', 'scb'] as const;

export const colorJitter: Augmentation<ColorJitterOptions> = {
  title: 'Brightness, contrast and saturation by factors of U(1 − s, 1 + s), in random order (Howard 2013)',
  options: {
    brightness: strength('s for brightness'),
    contrast: strength('s for contrast'),
    saturation: strength('s for saturation'),
  },
  apply(image, shape, draw, options) {
    const factor = (s: number, index: number) => 1 + s * (2 * draw.uniform(index) - 1);
    const changes = {
      b: (seen: Uint8Array) => brightness(seen, factor(options.brightness, 0)),
      c: (seen: Uint8Array) => contrast(seen, shape, factor(options.contrast, 1)),
      s: (seen: Uint8Array) => color(seen, shape, factor(options.saturation, 2)),
    };
    const order = orders[draw.integer(orders.length, 3)]!;
    return [...order].reduce((seen, name) => changes[name as keyof typeof changes](seen), image);
  },
};

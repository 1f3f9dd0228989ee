/** Cutout (DeVries & Taylor, "Improved regularization of convolutional neural networks with cutout", 2017). */
import type { Augmentation } from './augmentation';
import { filled, GREY, type Box } from './box';

export interface CutoutOptions {
  readonly length: number;
}

/** The square with the given side centered at (row, column), clipped at the border, with the authors' rounding. */
export function cutoutBox(row: number, column: number, length: number, [height, width]: readonly number[]): Box {
  const half = Math.floor(length / 2);
  return {
    top: Math.max(0, row - half),
    bottom: Math.min(height!, row + half),
    left: Math.max(0, column - half),
    right: Math.min(width!, column + half),
  };
}

export const cutout: Augmentation<CutoutOptions> = {
  title: 'Covers a square at a random pixel with gray, about 0 after normalization (DeVries & Taylor 2017)',
  options: { length: { type: 'integer', minimum: 2, default: 16, title: 'side of the square in pixels' } },
  apply(image, shape, draw, { length }) {
    const [, height, width] = shape;
    const box = cutoutBox(draw.integer(height, 0), draw.integer(width, 1), length, [height, width]);
    return filled(image, shape, box, () => GREY);
  },
};

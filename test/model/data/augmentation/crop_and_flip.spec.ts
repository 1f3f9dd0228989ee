/** Tests model/data/augmentation/crop.ts and flip.ts. */
import { expect } from 'chai';
import { augmentationSteps, Pipeline } from '../../../../model/data/augmentation';
import { crop, cropped } from '../../../../model/data/augmentation/crop';
import { flip, flipped } from '../../../../model/data/augmentation/flip';
import type { ImageShape } from '../../../../model/data/dataset';
import { Random } from '../../../../utils/random';

interface Window {
  readonly top: number;
  readonly left: number;
  readonly flip: boolean;
}

/** A window of a padded copy, value by value. */
function reference(image: Uint8Array, [channels, height, width]: ImageShape, { top, left, flip }: Window): number[] {
  const out: number[] = [];
  for (let c = 0; c < channels; c++) {
    const padded = Array.from({ length: height + 8 }, () => new Array<number>(width + 8).fill(0));
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) padded[y + 4]![x + 4] = image[(c * height + y) * width + x]!;
    }
    for (let y = 0; y < height; y++) {
      const row = padded[y + top]!.slice(left, left + width);
      out.push(...(flip ? row.reverse() : row));
    }
  }
  return out;
}

describe('crop and flip', () => {
  for (const shape of [
    [3, 32, 32],
    [1, 5, 7],
    [2, 3, 2],
  ] as const) {
    it(`agree with a padded copy for all windows of ${shape.join('×')}`, () => {
      const size = shape[0] * shape[1] * shape[2];
      const image = Uint8Array.from({ length: size }, (_, i) => 1 + ((i * 37) % 255));
      const before = image.slice();
      for (let top = 0; top <= 8; top++) {
        for (let left = 0; left <= 8; left++) {
          const window = cropped(image, shape, { top, left });
          expect([...window]).to.deep.equal(reference(image, shape, { top, left, flip: false }));
          expect([...flipped(window, shape)]).to.deep.equal(reference(image, shape, { top, left, flip: true }));
        }
      }
      expect(image).to.deep.equal(before);
    });
  }

  it('as "yes" draw their window from numbers 0 to 2 of the stream "augmentation" at (epoch, example)', () => {
    const shape: ImageShape = [3, 6, 5];
    const images = Uint8Array.from({ length: 40 * 90 }, (_, i) => (i * 31) % 256);
    const imageOf = (example: number) => images.subarray(example * 90, (example + 1) * 90);
    const examples = Uint32Array.from({ length: 40 }, (_, i) => i);
    const pipeline = new Pipeline(imageOf, augmentationSteps('yes'), { shape, seed: 5, examples, prefix: '' });
    const random = new Random(5, 'augmentation');
    for (const epoch of [1, 7]) {
      for (const example of [0, 3, 39]) {
        const window = {
          top: random.integer(9, 0, epoch, example),
          left: random.integer(9, 1, epoch, example),
          flip: random.integer(2, 2, epoch, example) === 1,
        };
        const image = images.subarray(example * 90, (example + 1) * 90);
        expect([...pipeline.see(epoch, example).image]).to.deep.equal(reference(image, shape, window));
      }
    }
  });

  it('draw all windows about equally often', () => {
    const random = new Random(5, 'augmentation');
    const shape: ImageShape = [1, 9, 9];
    // The value at the middle tells the window; that of its right neighbor tells whether it is flipped.
    const image = Uint8Array.from({ length: 81 }, (_, i) => 1 + i);
    const counts = new Map<string, number>();
    for (let epoch = 0; epoch < 20; epoch++) {
      for (let example = 0; example < 1000; example++) {
        const draw = {
          uniform: (index: number) => random.uniform(index, epoch, example),
          integer: (bound: number, index: number) => random.integer(bound, index, epoch, example),
        };
        const seen = flip.apply!(crop.apply!(image, shape, draw, {}), shape, draw, {});
        const window = `${seen[40]} ${seen[41]! > seen[39]!}`;
        counts.set(window, (counts.get(window) ?? 0) + 1);
      }
    }
    const expected = 20000 / 162;
    const chiSquare = [...counts.values()].reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    expect(counts.size).to.equal(162);
    expect(chiSquare).to.be.below(223); // 0.1 % point of 161 degrees of freedom
  });
});

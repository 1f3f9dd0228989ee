import { expect } from 'chai';
import { Random } from '../../../utils/random';
import { cropAndFlip, drawWindow, type Window } from '../../../model/data/augmentation';
import type { ImageShape } from '../../../model/data/dataset';

/** The same with a padded copy, value by value. */
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

describe('cropAndFlip', () => {
  for (const shape of [
    [3, 32, 32],
    [1, 5, 7],
    [2, 3, 2],
  ] as const) {
    it(`agrees with a padded copy for all windows of ${shape.join('×')}`, () => {
      const size = shape[0] * shape[1] * shape[2];
      const source = Uint8Array.from({ length: 3 * size }, (_, i) => 1 + ((i * 37) % 255));
      const image = source.subarray(size, 2 * size);
      for (let top = 0; top <= 8; top++) {
        for (let left = 0; left <= 8; left++) {
          for (const flip of [false, true]) {
            const out = new Uint8Array(3 * size).fill(255);
            cropAndFlip(out, size, source, size, shape, { top, left, flip });
            expect([...out.subarray(size, 2 * size)]).to.deep.equal(reference(image, shape, { top, left, flip }));
            expect(out.subarray(0, size).every((value) => value === 255)).to.equal(true);
            expect(out.subarray(2 * size).every((value) => value === 255)).to.equal(true);
          }
        }
      }
    });
  }
});

describe('drawWindow', () => {
  it('depends on epoch and example, and draws all windows about equally often', () => {
    const random = new Random(5, 'augmentation');
    const counts = new Map<string, number>();
    for (let epoch = 0; epoch < 20; epoch++) {
      for (let example = 0; example < 1000; example++) {
        const window = JSON.stringify(drawWindow(random, epoch, example));
        counts.set(window, (counts.get(window) ?? 0) + 1);
      }
    }
    const expected = 20000 / 162;
    const chiSquare = [...counts.values()].reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    expect(counts.size).to.equal(162);
    expect(chiSquare).to.be.below(223); // 0.1 % point of 161 degrees of freedom
    const across = [0, 1, 2, 3, 4, 5, 6, 7].map((epoch) => JSON.stringify(drawWindow(random, epoch, 9)));
    expect(new Set(across).size).to.be.above(1);
    expect(drawWindow(random, 3, 9)).to.deep.equal(drawWindow(new Random(5, 'augmentation'), 3, 9));
  });
});

/** Tests model/data/augmentation/random_resized_crop.ts and color_jitter.ts. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { augmentations } from '../../../../model/data/augmentation';
import type { Draw } from '../../../../model/data/augmentation/augmentation';
import { brightness, color, contrast } from '../../../../model/data/augmentation/color';
import { randomRegion } from '../../../../model/data/augmentation/random_resized_crop';
import type { ImageShape } from '../../../../model/data/dataset';
import { resized } from '../../../../model/data/images/resize';
import { Random } from '../../../../utils/random';

const fixture = JSON.parse(readFileSync(join(__dirname, '..', '..', '..', 'fixtures', 'resize.json'), 'utf8')) as {
  shape: ImageShape;
  image: string;
  cases: { region: [number, number, number, number]; seen: string }[];
};
const { shape } = fixture;
const image = new Uint8Array(Buffer.from(fixture.image, 'base64'));
const random = new Random(4, 'test');
const drawAt = (a: number): Draw => ({
  uniform: (index) => random.uniform(index, a),
  integer: (bound, index) => random.integer(bound, index, a),
});

describe('resized', () => {
  for (const { region, seen } of fixture.cases) {
    it(`brings the region ${region.join(', ')} to the size of the image as Pillow does, to the bit`, () => {
      const [left, top, width, height] = region;
      const found = resized(image, shape, { left, top, width, height });
      expect(Buffer.from(found).toString('base64')).to.equal(seen);
    });
  }
});

describe('random_resized_crop', () => {
  it('takes regions of shares from `scale` to 1 and of relations up to `ratio`, inside the image, everywhere', () => {
    const [height, width] = [300, 400];
    const shares: number[] = [];
    const lefts = new Set<number>();
    for (let a = 0; a < 2000; a++) {
      const region = randomRegion([height, width], drawAt(a), { scale: 0.25, ratio: 2 });
      expect(region.left).to.be.within(0, width - region.width);
      expect(region.top).to.be.within(0, height - region.height);
      expect(region.width / region.height).to.be.within(0.49, 2.04);
      shares.push((region.width * region.height) / (height * width));
      lefts.add(Math.floor(region.left / 50));
    }
    expect(Math.min(...shares)).to.be.within(0.24, 0.27);
    expect(Math.max(...shares)).to.be.within(0.9, 1);
    expect(lefts.size).to.equal(6);
  });

  it('takes as much of the middle as `ratio` allows where an image is too long', () => {
    const wide = randomRegion([10, 1000], drawAt(1), { scale: 1, ratio: 4 / 3 });
    expect(wide).to.deep.equal({ left: 493, top: 0, width: 13, height: 10 });
    const high = randomRegion([1000, 9], drawAt(1), { scale: 1, ratio: 4 / 3 });
    expect(high).to.deep.equal({ left: 0, top: 494, width: 9, height: 12 });
  });

  it('shows images in memory in the same regions', () => {
    const options = { scale: 0.3, ratio: 1.5 };
    const draw = drawAt(7);
    const region = randomRegion([shape[1], shape[2]], draw, options);
    const crop = augmentations.random_resized_crop!;
    expect(crop.region!([shape[1], shape[2]], draw, options)).to.deep.equal(region);
    expect(crop.apply!(image, shape, draw, options)).to.deep.equal(resized(image, shape, region));
  });
});

describe('color_jitter', () => {
  it('changes brightness, contrast and saturation by factors about 1, in each order', () => {
    const options = { brightness: 0.4, contrast: 0.3, saturation: 0.2 };
    const orders = new Set<string>();
    for (let a = 0; a < 60; a++) {
      const draw = drawAt(a);
      const factor = (s: number, index: number) => 1 + s * (2 * draw.uniform(index) - 1);
      const changes: Record<string, (seen: Uint8Array) => Uint8Array> = {
        b: (seen) => brightness(seen, factor(0.4, 0)),
        c: (seen) => contrast(seen, shape, factor(0.3, 1)),
        s: (seen) => color(seen, shape, factor(0.2, 2)),
      };
      const order = ['bcs', 'bsc', 'cbs', 'csb', 'sbc', 'scb'][draw.integer(6, 3)]!;
      orders.add(order);
      const expected = [...order].reduce<Uint8Array>((seen, name) => changes[name]!(seen), image);
      const found = augmentations.color_jitter!.apply!(image, shape, draw, options);
      expect(found).to.deep.equal(expected);
    }
    expect(orders.size).to.equal(6);
  });

  it('leaves an image alone where all strengths are 0', () => {
    const options = { brightness: 0, contrast: 0, saturation: 0 };
    expect(augmentations.color_jitter!.apply!(image, shape, drawAt(3), options)).to.deep.equal(image);
  });
});

import { expect } from 'chai';
import * as color from '../../../../model/data/augmentation/color';
import * as geometry from '../../../../model/data/augmentation/geometry';
import { operations, type Operation } from '../../../../model/data/augmentation/operations';
import type { ImageShape } from '../../../../model/data/dataset';
import { Random } from '../../../../utils/random';
import oracle from '../../../fixtures/augmentation.json';

/** The images of test/fixtures/make_augmentation.py. */
function drawn(name: string, shape: ImageShape, low: number, high: number): Uint8Array {
  const values = new Float32Array(shape[0] * shape[1] * shape[2]);
  new Random(3, name).fillUniform(values, low, high);
  return Uint8Array.from(values);
}

const images: Record<string, { shape: ImageShape; pixels: Uint8Array }> = {
  noise: { shape: [3, 12, 10], pixels: drawn('noise', [3, 12, 10], 0, 256) },
  dim: { shape: [3, 32, 32], pixels: drawn('dim', [3, 32, 32], 60, 131) },
};
images.dim!.pixels.copyWithin(1024, 0, 1024).fill(77, 2048);

type Call = (image: Uint8Array, shape: ImageShape, value: number) => Uint8Array;
const calls: Record<keyof typeof operations, Call> = {
  ...geometry,
  ...color,
  brightness: (image, _, value) => color.brightness(image, value),
  posterize: (image, _, value) => color.posterize(image, value),
  solarize: (image, _, value) => color.solarize(image, value),
};

describe('operations of augmentation', () => {
  it('are all in the oracle', () => {
    expect(new Set(oracle.map(({ operation }) => operation))).to.deep.equal(new Set(Object.keys(operations)));
  });

  for (const { operation, value, image, pixels } of oracle) {
    it(`${operation} ${value} of ${image} agrees with Pillow to the bit`, () => {
      const { shape, pixels: source } = images[image]!;
      const before = source.slice();
      const result = calls[operation as keyof typeof operations](source, shape, value);
      expect([...result]).to.deep.equal([...Buffer.from(pixels, 'base64')]);
      expect(source).to.deep.equal(before);
    });
  }

  it('take a strength from 0 to 1 and a sign', () => {
    const { shape, pixels } = images.noise!;
    const call = (name: keyof typeof operations, strength: number, sign: 1 | -1) =>
      operations[name](pixels, shape, strength, sign);
    const expected: [keyof typeof operations, number, number][] = [
      ['shearX', 0.3, -0.3],
      ['shearY', 0.3, -0.3],
      ['translateX', 150 / 331, -150 / 331],
      ['translateY', 150 / 331, -150 / 331],
      ['rotate', 30, -30],
      ['color', 1.9, 1 - 0.9],
      ['contrast', 1.9, 1 - 0.9],
      ['sharpness', 1.9, 1 - 0.9],
      ['brightness', 1.9, 1 - 0.9],
      ['posterize', 4, 4],
      ['solarize', 0, 0],
    ];
    for (const [name, positive, negative] of expected) {
      expect(call(name, 1, 1), name).to.deep.equal(calls[name](pixels, shape, positive));
      expect(call(name, 1, -1), name).to.deep.equal(calls[name](pixels, shape, negative));
      expect(call(name, 0, 1), `${name} of no strength`).to.deep.equal(pixels);
    }
    // np.round(np.linspace(8, 4, 10)) of the policy.
    const bits = [8, 8, 7, 7, 6, 6, 5, 5, 4, 4];
    bits.forEach((bit, level) => expect(call('posterize', level / 9, 1)).to.deep.equal(color.posterize(pixels, bit)));
  });

  it('leave a gray image with one channel gray', () => {
    const gray = images.noise!.pixels.slice(0, 120);
    for (const [name, operation] of Object.entries<Operation>(operations)) {
      expect(operation(gray, [1, 12, 10], 0.5, 1), name).to.have.length(120);
    }
    expect(operations.color(gray, [1, 12, 10], 1, 1)).to.deep.equal(gray);
  });
});

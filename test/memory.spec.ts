/** Tests model/training/ over a thousand steps. The memory of a run does not grow with its steps. */
import { expect } from 'chai';
import { growth, slope } from './helpers/growth';

/**
 * A step of this training is given 96 KiB of images. Losing them at each step would show; what is left of noise, as the
 * heap settles, has been measured as up to 4 KiB a step over 1,000 steps, and 15 KiB over 300.
 */
const training = { net: 'cnn', channels: 2, batchSize: 32 };
const IMAGES = 32 * 3 * 32 * 32;

describe('memory over steps of training', function () {
  this.timeout(240_000);

  it('is measured as the slope of a line', () => {
    expect(slope([0, 1, 2, 3].map((x) => [x, 5 + 2 * x]))).to.equal(2);
    expect(slope([1, 3, 1, 3].map((y, x) => [x, y]))).to.be.closeTo(0.4, 1e-12);
  });

  it('does not grow over 1,000 of them', async () => {
    expect(await growth({ ...training, steps: 1300 })).to.be.below(IMAGES / 8);
  });

  it('would be seen to grow if images were lost', async () => {
    expect(await growth({ ...training, steps: 600, lost: IMAGES })).to.be.within(IMAGES / 2, IMAGES * 1.5);
  });
});

/** The memory of longer and of larger runs, where the heap has settled and less has to be called noise. */
import { expect } from 'chai';
import { growth } from '../helpers/growth';

describe('memory over many steps', function () {
  this.timeout(30 * 60_000);

  it('grows by less than half a KiB a step over 20,000 small ones', async () => {
    expect(await growth({ net: 'cnn', channels: 4, batchSize: 16, steps: 20_000 })).to.be.below(512);
  });

  it('does not grow over 1,000 of a ResNet-8, each of which is given 384 KiB of images', async () => {
    expect(await growth({ net: 'resnet8', channels: 0, batchSize: 128, steps: 1300 })).to.be.below(16 * 1024);
  });
});

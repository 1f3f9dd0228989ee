import { expect } from 'chai';
import { noisyLabels } from '../../../model/data/label_noise';

describe('noisyLabels', () => {
  const size = 20_000;
  const classes = 5;
  const labels = Uint8Array.from({ length: size }, (_, i) => i % classes);
  const noisy = (share: number, seed = 3) => noisyLabels(labels, { share, classes, seed });

  it('replaces the share of labels by others, all equally often', () => {
    const share = 0.4;
    const counts = new Map<number, number>();
    noisy(share).forEach((label, i) => {
      const shift = (label - labels[i]! + classes) % classes;
      counts.set(shift, (counts.get(shift) ?? 0) + 1);
    });
    // Within five standard deviations of a binomial count.
    const near = (count: number, p: number) => expect(count).to.be.closeTo(size * p, 5 * Math.sqrt(size * p * (1 - p)));
    near(counts.get(0)!, 1 - share);
    for (let shift = 1; shift < classes; shift++) near(counts.get(shift)!, share / (classes - 1));
  });

  it('leaves all or none as they were at the ends', () => {
    expect([...noisy(0)]).to.deep.equal([...labels]);
    expect(noisy(1).some((label, i) => label === labels[i])).to.equal(false);
  });

  it('depends on seed and example alone, and a larger share has the wrong labels of a smaller one', () => {
    const part = noisyLabels(labels.subarray(0, 100), { share: 0.4, classes, seed: 3 });
    expect([...part]).to.deep.equal([...noisy(0.4).subarray(0, 100)]);
    expect([...noisy(0.4, 4)]).not.to.deep.equal([...noisy(0.4)]);
    const more = noisy(0.6);
    noisy(0.4).forEach((label, i) => {
      if (label !== labels[i]) expect(more[i]).to.equal(label);
    });
  });
});

import { expect } from 'chai';
import { classmates } from '../../../model/data/classmates';
import { batches } from '../../../model/data/loader';
import { makeShapes } from '../../../model/data/sets/shapes';

const indices = Uint32Array.from({ length: 30 }, (_, i) => 2 * i);
const labels = Int32Array.from({ length: 60 }, (_, i) => (i === 58 ? 9 : Math.floor(i / 2) % 3));

describe('classmates', () => {
  it('are other examples of the pass of the same label, and itself where there is none', () => {
    const of = classmates(labels, indices, { seed: 1, epoch: 1 });
    for (const example of indices) {
      const other = of(example);
      expect(labels[other]).to.equal(labels[example]);
      expect(indices.includes(other)).to.equal(true);
      if (example === 58) expect(other).to.equal(58);
      else expect(other).to.not.equal(example);
    }
  });

  it('follow from seed, epoch and example alone, and reach the whole class in time', () => {
    const of = (epoch: number, seed = 1) => classmates(labels, indices, { seed, epoch });
    const all = (epoch: number, seed?: number) => Array.from(indices, of(epoch, seed));
    expect(all(3)).to.deep.equal(all(3));
    expect(all(3)).to.not.deep.equal(all(4));
    expect(all(3)).to.not.deep.equal(all(3, 2));
    const met = new Set(Array.from({ length: 200 }, (_, epoch) => of(epoch)(0)));
    const others = indices.filter((example) => example !== 0 && labels[example] === labels[0]);
    expect([...met]).to.have.members([...others]);
  });

  it('are what a view of them shows, in place of the images', () => {
    const { train, shape } = makeShapes({ train: 24, test: 1, seed: 2 });
    const all = Uint32Array.from({ length: 24 }, (_, i) => i);
    const pass = { shape, batchSize: 6, seed: 4, epoch: 2, shuffle: true, augment: false };
    const of = classmates(train.labels, all, pass);
    const size = shape.reduce((a, b) => a * b, 1);
    for (const { views, indices: examples } of batches(train, all, {
      ...pass,
      views: ['classmate+cutout', 'cutout'],
    })) {
      examples.forEach((example, i) => {
        const seen = views!['classmate+cutout']!.subarray(i * size, (i + 1) * size);
        const image = train.images.subarray(of(example) * size, (of(example) + 1) * size);
        // Cutout leaves most pixels as they are.
        const same = seen.reduce((count, value, j) => count + (value === image[j] ? 1 : 0), 0);
        expect(same / size).to.be.above(0.7);
      });
    }
  });
});

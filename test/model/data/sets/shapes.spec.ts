import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { makeShapes } from '../../../../model/data/sets/shapes';

const imageSize = 3 * 32 * 32;

describe('makeShapes', () => {
  const small = makeShapes({ train: 30, test: 20, seed: 7 });

  it('draws the same image whatever the size of the set', () => {
    const large = makeShapes({ train: 50, test: 40, seed: 7 });
    expect(Buffer.compare(large.train.images.subarray(0, 30 * imageSize), small.train.images)).to.equal(0);
    expect(Buffer.compare(large.test.images.subarray(0, 20 * imageSize), small.test.images)).to.equal(0);
  });

  it('draws other images for another seed and for the test part', () => {
    const other = makeShapes({ train: 20, test: 0, seed: 8 });
    for (let i = 0; i < 20; i++) {
      const image = (images: Uint8Array): string =>
        Buffer.from(images.subarray(i * imageSize, (i + 1) * imageSize)).toString('base64');
      expect(new Set([image(small.train.images), image(small.test.images), image(other.train.images)]).size).to.equal(
        3,
      );
    }
  });

  it('has the ten classes equally often', () => {
    const counts = new Array<number>(10).fill(0);
    for (const label of small.train.labels) counts[label]!++;
    expect(counts).to.deep.equal(new Array(10).fill(3));
    expect(new Set(small.classes).size).to.equal(10);
  });

  it('has the mean and standard deviation that it states', () => {
    const { train, normalize } = makeShapes({ train: 1000, test: 0, seed: 3 });
    for (let channel = 0; channel < 3; channel++) {
      let sum = 0;
      let squares = 0;
      for (let i = 0; i < train.images.length; i++) {
        if (Math.floor(i / 1024) % 3 !== channel) continue;
        sum += train.images[i]! / 255;
        squares += (train.images[i]! / 255) ** 2;
      }
      const mean = sum / (1000 * 1024);
      expect(mean).to.be.closeTo(normalize.mean[channel]!, 0.01);
      expect(Math.sqrt(squares / (1000 * 1024) - mean * mean)).to.be.closeTo(normalize.std[channel]!, 0.01);
    }
  });

  it('shows the class: the mean image of each differs from that of every other, in about the same way twice', () => {
    // Distance from the image's own border color, averaged over many images of a class, is a blurred shape.
    const silhouettes = (seed: number): Float64Array[] => {
      const { train } = makeShapes({ train: 3000, test: 0, seed });
      const means = small.classes.map(() => new Float64Array(1024));
      for (let example = 0; example < train.size; example++) {
        const pixels = train.images.subarray(example * imageSize, (example + 1) * imageSize);
        for (let channel = 0; channel < 3; channel++) {
          const plane = pixels.subarray(channel * 1024, (channel + 1) * 1024);
          const border = (plane[0]! + plane[31]! + plane[992]! + plane[1023]!) / 4;
          const mean = means[train.labels[example]!]!;
          for (let p = 0; p < 1024; p++) mean[p]! += Math.abs(plane[p]! - border) / 900;
        }
      }
      return means;
    };
    const [first, second] = [silhouettes(1), silhouettes(2)];
    const distance = (x: Float64Array, y: Float64Array): number => x.reduce((sum, v, p) => sum + (v - y[p]!) ** 2, 0);
    first.forEach((mean, label) => {
      const distances = second.map((other) => distance(mean, other));
      expect(distances.indexOf(Math.min(...distances)), small.classes[label]).to.equal(label);
    });
  });

  it('stays the same set from version to version', () => {
    const { train } = makeShapes({ train: 100, test: 0, seed: 230 });
    expect(createHash('sha256').update(train.images).digest('hex')).to.equal(
      'bf77a731271652de1257784a00ab26b047a1d5b9ca4ed66742deb97a5aac046c',
    );
  });
});

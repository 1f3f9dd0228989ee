import { expect } from 'chai';
import { PictureMemory } from '../../../../model/data/images/picture_memory';

describe('PictureMemory', () => {
  const picture = (height: number, width: number, first: number) => ({
    height,
    width,
    pixels: Uint8Array.from({ length: 3 * height * width }, (_, i) => first + i),
  });
  const pictures = [picture(2, 3, 0), picture(1, 1, 100), picture(3, 2, 200)];

  it('holds images of any size, in the order in which they come', () => {
    const memory = PictureMemory.of(pictures)!;
    expect(memory.get(2)).to.equal(undefined);
    for (const i of [2, 0]) memory.put(i, pictures[i]!);
    expect([0, 1, 2].map((i) => memory.get(i))).to.deep.equal([pictures[0], undefined, pictures[2]]);
    memory.put(1, pictures[1]!);
    expect([0, 1, 2].map((i) => memory.get(i))).to.deep.equal(pictures);
  });

  it('is not made for more bytes than it may have', () => {
    const bytes = 3 * (6 + 1 + 6);
    expect(PictureMemory.of(pictures, bytes)).to.not.equal(undefined);
    expect(PictureMemory.of(pictures, bytes - 1)).to.equal(undefined);
  });
});

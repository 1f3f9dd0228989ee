import { expect } from 'chai';
import { balanced } from '../../../model/data/sampling';

describe('balanced', () => {
  // 12, 5 and 1 examples of the classes 0, 1 and 4.
  const labels = [...Array<number>(12).fill(0), ...Array<number>(5).fill(1), 4, 3, 3];
  const indices = Uint32Array.from({ length: 18 }, (_, i) => i);
  const epochOf = (epoch: number, seed = 1) => [...balanced(indices, labels, { seed, epoch })];
  const count = <T>(values: readonly T[]) => {
    const counts = new Map<T, number>();
    for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
    return counts;
  };

  it('has every class of the examples equally often, and as many examples as there are', () => {
    for (let epoch = 1; epoch <= 4; epoch++) {
      expect(epochOf(epoch)).to.have.length(18);
      expect([...count(epochOf(epoch).map((i) => labels[i]))].sort()).to.deep.equal([[0, 6], [1, 6], [4, 6]]); // prettier-ignore
    }
  });

  it('takes an example again only when all of its class have come', () => {
    const times = count(epochOf(1));
    for (let example = 0; example < 12; example++) expect(times.get(example) ?? 0).to.be.at.most(1);
    const ofSecond = [12, 13, 14, 15, 16].map((example) => times.get(example)!);
    expect(ofSecond.sort()).to.deep.equal([1, 1, 1, 1, 2]);
    expect(times.get(17)).to.equal(6);
  });

  it('gives the rest to each class in turn', () => {
    const some = indices.subarray(0, 17);
    const rests = [1, 2].map((epoch) => {
      const chosen = [...balanced(some, labels, { seed: 1, epoch })].map((i) => labels[i]);
      return [0, 1].map((label) => count(chosen).get(label)).join();
    });
    expect(rests.sort()).to.deep.equal(['8,9', '9,8']);
  });

  it('depends on seed and epoch', () => {
    expect(epochOf(2)).to.deep.equal(epochOf(2)).and.not.deep.equal(epochOf(3));
    expect(epochOf(2)).not.to.deep.equal(epochOf(2, 7));
  });
});

/** Vectors judged by their nearest neighbors and by a linear probe. */
import { expect } from 'chai';
import { ndarray } from '../../../formats/ndarray';
import { neighborClasses, probeLogits, type Vectors } from '../../../model/evaluation/vectors';
import { Random } from '../../../utils/random';

/** Vectors of three classes around points, at this distance from them. */
function clouds(count: number, apart: number, seed: number): Vectors {
  const centers = [
    [4, 0, 0, 1],
    [0, 4, 0, 1],
    [0, 0, 4, 1],
  ];
  const noise = new Float32Array(count * 4);
  new Random(seed, 'clouds').fillUniform(noise, -apart, apart);
  const labels = Int32Array.from({ length: count }, (_, i) => i % 3);
  const data = noise.map((value, i) => value + centers[labels[i >> 2]!]![i & 3]!);
  return { vectors: ndarray('float32', [count, 4], data), labels };
}

const share = (found: ArrayLike<number>, labels: Int32Array) =>
  labels.filter((label, i) => label === found[i]).length / labels.length;
const best = (logits: Float32Array, classes: number) =>
  Array.from({ length: logits.length / classes }, (_, row) => {
    const own = logits.subarray(row * classes, (row + 1) * classes);
    return own.indexOf(Math.max(...own));
  });

describe('vectors of images', () => {
  const bank = clouds(90, 1, 1);
  const near = clouds(60, 1, 2);

  it('are of the class of their neighbors by cosine, whatever their lengths', async () => {
    const longer = ndarray(
      'float32',
      near.vectors.shape,
      near.vectors.data.map((value) => 100 * value),
    );
    const found = await neighborClasses(bank, near.vectors, 3, 1);
    expect(share(found, near.labels)).to.equal(1);
    expect(await neighborClasses(bank, longer, 3, 1)).to.deep.equal(found);
  });

  it('count for more, the nearer they are: twenty vote with the weight exp(cosine / 0.07)', async () => {
    // One neighbor at the query, and nineteen of another class at a right angle to it.
    const rows = [[1, 0], ...Array.from({ length: 19 }, () => [0, 1])];
    const labels = Int32Array.from(rows, ([x]) => (x === 1 ? 1 : 0));
    const few: Vectors = { vectors: ndarray('float32', [20, 2], Float32Array.from(rows.flat())), labels };
    expect([...(await neighborClasses(few, ndarray('float32', [1, 2], Float32Array.of(3, 0)), 2, 1))]).to.deep.equal([
      1,
    ]);
    expect([...(await neighborClasses(few, ndarray('float32', [1, 2], Float32Array.of(1, 1)), 2, 1))]).to.deep.equal([
      0,
    ]);
  });

  it('are told apart by a linear probe, and at chance where labels say nothing', async () => {
    const logits = await probeLogits(bank, near.vectors, 3, 1);
    expect(share(best(logits, 3), near.labels)).to.equal(1);
    const { vectors } = clouds(90, 1, 3);
    const shuffled = { vectors, labels: Int32Array.from({ length: 90 }, (_, i) => Math.floor(i / 30)) };
    expect(share(best(await probeLogits(shuffled, near.vectors, 3, 1), 3), near.labels)).to.be.below(0.6);
  });

  it('may have columns that never change', async () => {
    const flat = (one: Vectors): Vectors => ({
      ...one,
      vectors: ndarray(
        'float32',
        one.vectors.shape,
        one.vectors.data.map((value, i) => (i % 4 === 3 ? 7 : value)),
      ),
    });
    const logits = await probeLogits(flat(bank), flat(near).vectors, 3, 1);
    expect(logits.every(Number.isFinite)).to.equal(true);
    expect(share(best(logits, 3), near.labels)).to.equal(1);
  });
});

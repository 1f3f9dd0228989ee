import { expect } from 'chai';
import { philox, Random } from '../../utils/random';
import expected from '../fixtures/random_streams.json';

const { seed, stream } = expected;

describe('philox', () => {
  const vectors: [counter: [number, number, number, number], key: [number, number], words: number[]][] = [
    [
      [0, 0, 0, 0],
      [0, 0],
      [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    ],
    [
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ];
  for (const [counter, key, words] of vectors) {
    it(`gives the known answer of Random123 for counter ${counter.map((c) => c.toString(16)).join(' ')}`, () => {
      const out = new Uint32Array(4);
      philox(out, ...counter, ...key);
      expect([...out]).to.deep.equal(words);
    });
  }
});

describe('Random', () => {
  const random = new Random(seed, stream);

  it('gives the uniform values of the Python oracle, bit for bit', () => {
    const out = new Float32Array(10);
    random.fillUniform(out, -0.1, 0.3, 7, 4000000000);
    expect([...out]).to.deep.equal(expected.uniform);
  });

  it('gives the normal values of the Python oracle', () => {
    const out = new Float32Array(10);
    random.fillNormal(out, 1.5, 0.25, 7, 4000000000);
    out.forEach((value, i) => expect(value).to.be.closeTo(expected.normal[i]!, 2e-7));
  });

  it('gives the words of the Python oracle as uniform(index) and integer(bound, index)', () => {
    expected.words.forEach((word, i) => {
      expect(random.uniform(i, 1, 2)).to.equal(word / 2 ** 32);
      expect(random.integer(2 ** 32, i, 1, 2)).to.equal(word);
      expect(random.integer(10, i, 1, 2)).to.equal(Number((BigInt(word) * 10n) >> 32n));
    });
  });

  it('gives the permutation of the Python oracle', () => {
    expect([...random.permutation(23, 5)]).to.deep.equal(expected.permutation);
  });

  it('does not depend on the length asked for or on earlier calls', () => {
    const long = new Float32Array(1000);
    random.fillNormal(long, 0, 1);
    for (const length of [1, 2, 3, 5, 998]) {
      const short = new Float32Array(length);
      new Random(seed, stream).fillNormal(short, 0, 1);
      expect([...short]).to.deep.equal([...long.subarray(0, length)]);
    }
  });

  it('differs by seed, stream and each coordinate', () => {
    const firsts = [
      new Random(1, 'weights').uniform(0),
      new Random(2, 'weights').uniform(0),
      new Random(1, 'dropout').uniform(0),
      new Random(1, 'weights').uniform(4),
      new Random(1, 'weights').uniform(0, 1),
      new Random(1, 'weights').uniform(0, 0, 1),
    ];
    expect(new Set(firsts).size).to.equal(firsts.length);
  });

  it('fills [low, high) with mean and variance of the uniform distribution', () => {
    const out = new Float32Array(1 << 18);
    new Random(3, 'moments').fillUniform(out, 2, 5);
    const mean = out.reduce((sum, x) => sum + x, 0) / out.length;
    const variance = out.reduce((sum, x) => sum + (x - mean) ** 2, 0) / out.length;
    expect(mean).to.be.closeTo(3.5, 0.01);
    expect(variance).to.be.closeTo(9 / 12, 0.01);
    expect(out.every((x) => x >= 2 && x < 5)).to.equal(true);
  });

  it('stays below high where float32 is coarse', () => {
    for (const [low, high] of [
      [16777212, 16777216],
      [-4, 0],
      [-16777220, -16777216],
      [1, 1 + 2 ** -22],
    ] as const) {
      const out = new Float32Array(4096);
      random.fillUniform(out, low, high);
      expect(Math.max(...out)).to.be.below(high);
      expect(Math.min(...out)).to.be.at.least(low);
    }
  });

  it('fills with a constant where low equals high', () => {
    const out = new Float32Array(5);
    random.fillUniform(out, 0.5, 0.5);
    expect([...out]).to.deep.equal([0.5, 0.5, 0.5, 0.5, 0.5]);
  });

  it('fills with mean, variance, skewness and kurtosis of the normal distribution', () => {
    const out = new Float32Array(1 << 18);
    new Random(3, 'moments').fillNormal(out, 0, 1);
    const moment = (power: number): number => out.reduce((sum, x) => sum + x ** power, 0) / out.length;
    expect(moment(1)).to.be.closeTo(0, 0.01);
    expect(moment(2)).to.be.closeTo(1, 0.01);
    expect(moment(3)).to.be.closeTo(0, 0.03);
    expect(moment(4)).to.be.closeTo(3, 0.06);
  });

  it('draws integers evenly', () => {
    const counts = new Array<number>(10).fill(0);
    for (let i = 0; i < 20000; i++) counts[random.integer(10, i)]!++;
    const chiSquare = counts.reduce((sum, count) => sum + (count - 2000) ** 2 / 2000, 0);
    expect(chiSquare).to.be.below(27.9); // 0.1 % point of 9 degrees of freedom
  });

  it('permutes: every number once, every place about equally often', () => {
    expect([...random.permutation(1000)].sort((x, y) => x - y)).to.deep.equal(
      Array.from({ length: 1000 }, (_, i) => i),
    );
    expect([...random.permutation(1)]).to.deep.equal([0]);
    expect(random.permutation(0)).to.have.length(0);
    const counts = new Map<string, number>();
    for (let a = 0; a < 6000; a++) {
      const order = random.permutation(3, a).join('');
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).to.equal(6);
    const chiSquare = [...counts.values()].reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
    expect(chiSquare).to.be.below(20.5); // 0.1 % point of 5 degrees of freedom
  });

  it('refuses a seed that is not a uint32', () => {
    for (const bad of [-1, 1.5, 2 ** 32, NaN]) {
      expect(() => new Random(bad, 'x')).to.throw(`Random: seed must be an integer from 0 to 4294967295, got ${bad}`);
    }
  });
});

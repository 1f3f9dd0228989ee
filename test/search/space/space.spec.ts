import { expect } from 'chai';
import {
  contains,
  countOf,
  fromUnit,
  indexOf,
  isPointOf,
  makePoint,
  valueAt,
  type Dimension,
  type Point,
  type Range,
} from '../../../search/space/space';

const range = (low: number, high: number, more: Partial<Range> = {}): Range => ({
  kind: 'range',
  path: 'x',
  low,
  high,
  log: false,
  ...more,
});
const choice = (...values: (string | number | object)[]): Dimension =>
  ({ kind: 'choice', path: 'x', values }) as Dimension;

/** Shares of the values that `fromUnit` gives to evenly spaced places of [0, 1). */
function shares(dimension: Dimension, places = 10_000): Map<unknown, number> {
  const counts = new Map<unknown, number>();
  for (let i = 0; i < places; i++) {
    const value = fromUnit(dimension, (i + 0.5) / places);
    counts.set(value, (counts.get(value) ?? 0) + 1 / places);
  }
  return counts;
}

describe('a dimension', () => {
  it('counts and finds its values', () => {
    const stepped = range(0.1, 0.5, { step: 0.1 });
    expect(countOf(stepped)).to.equal(5);
    expect([0, 1, 2, 3, 4].map((index) => valueAt(stepped, index))).to.deep.equal([0.1, 0.2, 0.3, 0.4, 0.5]);
    expect(indexOf(stepped, 0.3)).to.equal(2);
    expect(indexOf(stepped, 0.25)).to.equal(-1);
    expect(indexOf(stepped, 0.6)).to.equal(-1);
    expect(indexOf(stepped, '0.3')).to.equal(-1);
    const large = range(0, 2 ** 53 - 1, { step: 1 });
    expect(valueAt(large, 2 ** 53 - 2)).to.equal(2 ** 53 - 2);
    const objects = choice({ a: 1, b: 2 }, 'a', 1);
    expect(indexOf(objects, { b: 2, a: 1 })).to.equal(0);
    expect(indexOf(objects, '1')).to.equal(-1);
    expect(countOf(range(0, 1))).to.equal(Infinity);
    expect(contains(range(0, 1), 1)).to.equal(true);
    expect(contains(range(0, 1), 1.01)).to.equal(false);
    expect(contains(range(0, 1), 'a')).to.equal(false);
  });

  it('gives each of countably many values the same share', () => {
    for (const dimension of [range(8, 64, { step: 8 }), range(0, 1.75, { step: 0.25 }), choice(...'abcdefgh')]) {
      const found = shares(dimension);
      expect(found.size).to.equal(8);
      for (const share of found.values()) expect(share).to.be.closeTo(1 / 8, 1e-3);
    }
  });

  it('gives each factor of a logarithmic range the same share', () => {
    const drawn = Array.from({ length: 1000 }, (_, i) => fromUnit(range(1e-4, 1, { log: true }), i / 1000) as number);
    for (const decade of [1e-4, 1e-3, 1e-2, 1e-1]) {
      expect(drawn.filter((x) => x >= decade * 0.999999 && x < decade * 9.99999)).to.have.lengthOf(250);
    }
    const integers = shares(range(1, 100, { log: true, step: 1 }));
    expect(integers.size).to.equal(100);
    // Integer k has the share of [k − ½, k + ½] in logarithms.
    for (const k of [1, 2, 10, 100]) {
      expect(integers.get(k)).to.be.closeTo(Math.log((k + 0.5) / (k - 0.5)) / Math.log(100.5 / 0.5), 2e-4);
    }
  });

  it('rounds continuous values to what people read, within the range', () => {
    expect(fromUnit(range(1, 20), 1 / 3)).to.equal(7.3333);
    expect(fromUnit(range(0, 1), 1 / 3)).to.equal(0.333333);
    expect(fromUnit(range(0.9, 0.903), 1 / 7)).to.equal(0.90042857);
    expect(fromUnit(range(1e-5, 1, { log: true }), 0.5)).to.equal(0.00316228);
    expect(fromUnit(range(1e12, 9e12), 1 / 3)).to.equal(Math.round(1e12 + 8e12 / 3));
    const narrow = range(0.12345678, 0.12345679);
    for (const u of [0, 0.3, 1 - 2 ** -32]) expect(contains(narrow, fromUnit(narrow, u))).to.equal(true);
  });
});

describe('a point', () => {
  const space: Dimension[] = [
    { kind: 'choice', path: 'optimizer', values: ['adam', 'sgd', 'lamb'] },
    { kind: 'choice', path: 'nesterov', values: [true, false], when: { optimizer: ['sgd'] } },
    { ...range(0, 1), path: 'momentum', when: { optimizer: ['sgd', 'lamb'], nesterov: [true] } },
  ];
  const take = (values: Record<string, unknown>) => makePoint(space, ({ path }) => values[path] as never);

  it('has the dimensions whose conditions all hold, of those that exist themselves', () => {
    const all = { momentum: 0.5, nesterov: true };
    expect(take({ ...all, optimizer: 'adam' })).to.deep.equal({ optimizer: 'adam' });
    expect(take({ ...all, optimizer: 'lamb' })).to.deep.equal({ optimizer: 'lamb' });
    expect(take({ ...all, optimizer: 'sgd' })).to.deep.equal({ ...all, optimizer: 'sgd' });
    expect(take({ ...all, optimizer: 'sgd', nesterov: false })).to.deep.equal({ optimizer: 'sgd', nesterov: false });
  });

  it('is of a space where it has exactly the active dimensions, with values of theirs', () => {
    expect(isPointOf(space, { optimizer: 'adam' })).to.equal(true);
    expect(isPointOf(space, { optimizer: 'sgd', nesterov: true, momentum: 1 })).to.equal(true);
    const strangers: Point[] = [
      {},
      { optimizer: 'adagrad' },
      { optimizer: 'sgd' },
      { optimizer: 'adam', nesterov: true },
      { optimizer: 'sgd', nesterov: true, momentum: 2 },
      { optimizer: 'adam', alpha: 1 },
    ];
    for (const stranger of strangers) {
      expect(isPointOf(space, stranger), JSON.stringify(stranger)).to.equal(false);
    }
  });
});

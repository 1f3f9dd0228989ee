import { expect } from 'chai';
import fc from 'fast-check';
import { isObject, parseJson } from '../../utils/json';

const nested = (levels: number, [open, close]: readonly [string, string]) => open.repeat(levels) + close.repeat(levels);

describe('parseJson', () => {
  it('gives what JSON.parse gives', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 5 }), (text) => {
        expect(parseJson(text)).to.deep.equal(JSON.parse(text));
      }),
      { seed: 230 },
    );
  });

  it('counts brackets but for those in strings', () => {
    const text = JSON.stringify({ a: '['.repeat(500), b: '\\"[{'.repeat(200), ['{'.repeat(300)]: '\\' });
    expect(parseJson(text)).to.deep.equal(JSON.parse(text));
    expect(parseJson(`[${'[1],'.repeat(500)}1]`)).to.have.lengthOf(501);
  });

  it('refuses what is nested deeper than 100 levels, before it is parsed', () => {
    for (const brackets of [
      ['[', ']'],
      ['{"a":[', ']}'],
    ] as const) {
      const levels = 100 / (brackets[0].length === 1 ? 1 : 2);
      expect(() => parseJson(nested(levels, brackets))).not.to.throw();
      for (const more of [levels + 1, 200_000]) {
        expect(() => parseJson(nested(more, brackets))).to.throw(Error, 'it is nested more than 100 levels deep');
      }
    }
    expect(() => parseJson('['.repeat(1_000_000))).to.throw(Error, 'nested');
  });
});

describe('isObject', () => {
  it('tells objects from lists, null and plain values', () => {
    expect([{}, Object.create(null), [], null, 'a', 1, undefined].map(isObject)).to.deep.equal([
      true,
      true,
      ...Array<boolean>(5).fill(false),
    ]);
  });
});

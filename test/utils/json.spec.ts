import { expect } from 'chai';
import fc from 'fast-check';
import { isObject, parseEditedJson, parseJson } from '../../utils/json';

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

  it('accepts a byte order mark, and says so of what is no UTF-8', () => {
    for (const parse of [parseJson, parseEditedJson]) expect(parse('\uFEFF{"a": 1}')).to.deep.equal({ a: 1 });
    expect(() => parseJson('\uFEFF\uFEFF1')).to.throw(SyntaxError);
    const utf16 = Buffer.concat([Buffer.of(0xff, 0xfe), Buffer.from('{"a": 1}', 'utf16le')]);
    expect(() => parseJson(utf16.toString())).to.throw(Error, 'it is not UTF-8 text');
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

describe('parseEditedJson', () => {
  it('gives what JSON.parse gives where no object has a key twice', () => {
    const texts = [
      '{"a": 1, "b": {"a": 2}, "c": [{"a": 1}, {"a": 2}]}',
      '{"a": "\\"a\\": {", "b": "a", "": [[]]}',
      '3',
    ];
    for (const text of texts) expect(parseEditedJson(text)).to.deep.equal(JSON.parse(text));
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const text = JSON.stringify(value, null, 2);
        expect(parseEditedJson(text)).to.deep.equal(JSON.parse(text));
      }),
      { seed: 230 },
    );
  });

  it('names a key that an object has twice, and its lines', () => {
    const twice = (name: string, first: number, second: number) =>
      `it has the key ${name} twice, in lines ${first} and ${second}`;
    expect(() => parseEditedJson('{"alpha": 1,\n\n"alpha": 2}')).to.throw(twice('"alpha"', 1, 3));
    expect(() => parseEditedJson('[{"a": {"b": 1,\n"c": {}, "\\u0062" : 2}}]')).to.throw(twice('"b"', 1, 2));
    expect(() => parseEditedJson('{"x": [{"a": 1}], "x": 1}')).to.throw(twice('"x"', 1, 1));
  });
});

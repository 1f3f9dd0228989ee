/**
 * Files as nobody means them: mutants of good ones, drawn by fast-check and so a function of its seed. Bytes are changed
 * blindly, and JSON also by its structure, which gets behind a parser.
 */
import fc from 'fast-check';

/** Numbers that readers compare, add and multiply: limits of their types, and what is just beyond. */
const words = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];

type Edit = (bytes: Uint8Array) => Uint8Array;

/** A share of the length, any as likely as another: a double of fast-check is next to 0 in most cases. */
const place = fc.noBias(fc.nat(2 ** 30 - 1)).map((part) => part / 2 ** 30);
const at = (bytes: Uint8Array, share: number) => Math.floor(share * bytes.length);

const edits: fc.Arbitrary<Edit> = fc.oneof(
  { weight: 4, arbitrary: flips() },
  { weight: 4, arbitrary: overwrites() },
  { weight: 2, arbitrary: fc.tuple(place, fc.uint8Array({ minLength: 1, maxLength: 8 })).map(inserts) },
  { weight: 2, arbitrary: fc.tuple(place, place, place).map(copies) },
  {
    weight: 1,
    arbitrary: place.map(
      (share): Edit =>
        (bytes) =>
          bytes.subarray(0, at(bytes, share)),
    ),
  },
);

/** One to six changes of one of `originals`: flipped bits, limits of number types, pieces put in, repeated, cut off. */
export function mutants(originals: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  // The slice of a Buffer would share its bytes.
  const sound = originals.map((original) => new Uint8Array(original));
  const changes = fc.oneof(
    edits.map((edit) => [edit]),
    fc.array(edits, { minLength: 2, maxLength: 6 }),
  );
  return fc
    .tuple(fc.constantFrom(...sound), changes)
    .map(([original, chosen]) =>
      chosen.reduce<Uint8Array>((bytes, edit) => (bytes.length > 0 ? edit(bytes) : bytes), original),
    );
}

function flips(): fc.Arbitrary<Edit> {
  return fc.tuple(place, fc.nat(7)).map(([share, bit]): Edit => (bytes) => {
    const mutant = bytes.slice();
    mutant[at(bytes, share)]! ^= 1 << bit;
    return mutant;
  });
}

function overwrites(): fc.Arbitrary<Edit> {
  return fc
    .tuple(place, fc.constantFrom(...words), fc.constantFrom(1, 2, 4, 8), fc.boolean())
    .map(([share, word, length, isLittle]): Edit => {
      const digits = Array.from({ length }, (_, i) => (i < 4 ? (word >>> (8 * i)) & 0xff : word >>> 31 && 0xff));
      const encoded = isLittle ? digits : digits.reverse();
      return (bytes) => {
        const mutant = bytes.slice();
        mutant.set(encoded.slice(0, bytes.length - at(bytes, share)), at(bytes, share));
        return mutant;
      };
    });
}

function inserts([share, piece]: readonly [number, Uint8Array]): Edit {
  return (bytes) => {
    const where = at(bytes, share);
    return Uint8Array.of(...bytes.subarray(0, where), ...piece, ...bytes.subarray(where));
  };
}

function copies([from, to, where]: readonly [number, number, number]): Edit {
  return (bytes) => {
    const piece = bytes.subarray(at(bytes, Math.min(from, to)), at(bytes, Math.max(from, to))).subarray(0, 4096);
    return Uint8Array.from(
      Buffer.concat([bytes.subarray(0, at(bytes, where)), piece, bytes.subarray(at(bytes, where))]),
    );
  };
}

/** Keys that name what every object has, and what leads elsewhere. */
const hostileKeys = ['__proto__', 'constructor', 'prototype', 'toString', 'valueOf', 'then', 'length', '', 'a.b'];

/** Names that would mean something to a shell, a path, a terminal or a page. */
const hostileNames = [
  '$(touch executed)',
  '`touch executed`',
  '; touch executed',
  '| touch executed',
  "' touch executed '",
  '" touch executed "',
  'a\nb',
  '../outside',
  '..',
  '/outside',
  'a\0b',
  '-rf',
  '\u001b[2J',
  '<img src=x onerror=globalThis.hacked=1>',
  'x'.repeat(5000),
];

const numbers = [-1, 0, 0.5, 1e9, 1e300, -1e300, 2 ** 31, 2 ** 53, 5e-324];

/** Any value of JSON, and of those that are likely to hurt. */
const hostileValues: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(null, true, false, '', ...numbers, ...hostileNames),
  fc.constantFrom<unknown>([], {}, [[]], [null], [{}], { __proto__: null }),
  fc.constantFrom(...hostileKeys).map((key) => JSON.parse(`{${JSON.stringify(key)}: {"polluted": true}}`) as unknown),
  fc.jsonValue({ maxDepth: 2 }),
  fc.integer({ min: 1, max: 60 }).map((levels) => JSON.parse('['.repeat(levels) + ']'.repeat(levels)) as unknown),
);

/**
 * JSON texts: one of `originals` with one to four values replaced, removed or added somewhere inside it; now and then any
 * value at all, or a text that is no JSON any more.
 */
export function jsonMutants(originals: readonly unknown[]): fc.Arbitrary<string> {
  const change = fc.tuple(
    fc.array(fc.nat(7), { maxLength: 5 }),
    fc.constantFrom('replace', 'remove', 'add'),
    hostileValues,
  );
  const keys = fc.oneof(fc.constantFrom(...hostileKeys), fc.constantFrom(...hostileNames));
  const changed = fc
    .tuple(fc.constantFrom(...originals), fc.array(fc.tuple(change, keys), { minLength: 1, maxLength: 4 }))
    .map(([original, changes]) => {
      let value = structuredClone(original);
      for (const [[path, how, put], key] of changes) value = withChange(value, path, how, key, structuredClone(put));
      return JSON.stringify(value) ?? 'null';
    });
  const texts = originals.map((value) => Buffer.from(JSON.stringify(value)));
  return fc.oneof(
    { weight: 8, arbitrary: changed },
    { weight: 1, arbitrary: hostileValues.map((value) => JSON.stringify(value) ?? 'null') },
    { weight: 2, arbitrary: mutants(texts).map((bytes) => Buffer.from(bytes).toString()) },
  );
}

/** JSON lines: some of them mutants, in any order, the last one perhaps without its end. */
export function lineMutants(originals: readonly unknown[]): fc.Arbitrary<string> {
  const line = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...originals).map((value) => JSON.stringify(value)) },
    { weight: 1, arbitrary: jsonMutants(originals) },
  );
  return fc
    .tuple(fc.array(line, { maxLength: 8 }), fc.boolean())
    .map(([lines, isWhole]) => lines.join('\n') + (isWhole ? '\n' : ''));
}

/** A value with one change: `path` says, key number by key number, how deep to go. */
function withChange(value: unknown, path: readonly number[], how: string, key: string, put: unknown): unknown {
  if (typeof value !== 'object' || value === null) return put;
  const keys = Object.keys(value);
  const [first, ...rest] = path;
  if (how === 'add' && (first === undefined || rest.length === 0)) {
    if (Array.isArray(value)) value.push(put);
    else Object.defineProperty(value, key, { value: put, enumerable: true, configurable: true, writable: true });
    return value;
  }
  if (first === undefined || keys.length === 0) return put;
  const chosen = keys[first % keys.length]!;
  if (rest.length > 0) {
    const inner = withChange((value as Record<string, unknown>)[chosen], rest, how, key, put);
    Object.defineProperty(value, chosen, { value: inner, enumerable: true, configurable: true, writable: true });
  } else if (how === 'remove' && Array.isArray(value)) value.splice(Number(chosen), 1);
  else if (how === 'remove') delete (value as Record<string, unknown>)[chosen];
  else Object.defineProperty(value, chosen, { value: put, enumerable: true, configurable: true, writable: true });
  return value;
}

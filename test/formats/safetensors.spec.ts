import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { ndarray, type NamedArrays, type NdArray } from '../../formats/ndarray';
import { parseSafetensors, readSafetensors, writeSafetensors } from '../../formats/safetensors';
import { UserError } from '../../utils/errors';
import { readJson } from '../../utils/files';
import { complaintOf, rowsOf } from '../utils/rows';

const fixture = 'test/fixtures/kinds.safetensors';

/** A file with this header, as text or as what JSON makes of it, and this many bytes of data. */
function fileOf(header: unknown, dataLength = 0): Uint8Array {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Uint8Array.from(Buffer.concat([length, text, Buffer.alloc(dataLength)]));
}

function entry(dtype: unknown, shape: unknown, offsets: unknown): object {
  return { dtype, shape, data_offsets: offsets };
}

describe('safetensors', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'safetensors-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  it('reads every dtype as numpy does, aligned or not', () => {
    const { tensors, metadata } = readSafetensors(fixture);
    expect(rowsOf(tensors)).to.deep.equal(readJson(`${fixture}.json`));
    expect(Object.entries(metadata)).to.deep.equal([
      ['epoch', '3'],
      ['__proto__', 'x'],
    ]);
  });

  it('writes the bytes that the format prescribes', () => {
    const path = join(folder, 'a.safetensors');
    const tensors: NamedArrays = new Map<string, NdArray>([
      ['b', ndarray('uint8', [2], Uint8Array.of(7, 8))],
      ['a', ndarray('int32', [], Int32Array.of(-2))],
    ]);
    writeSafetensors(path, tensors, { step: '5' });
    const headerWith = (hash: string) =>
      `{"__metadata__":{"step":"5","distillery.sha256":"${hash}"},"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},` +
      '"a":{"dtype":"I32","shape":[],"data_offsets":[2,6]}}    ';
    const data = Buffer.of(7, 8, 0xfe, 0xff, 0xff, 0xff);
    const header = headerWith(
      createHash('sha256')
        .update(headerWith('0'.repeat(64)))
        .update(data)
        .digest('hex'),
    );
    expect(header.length % 8).to.equal(0);
    const length = Buffer.alloc(8);
    length.writeUInt8(header.length);
    const expected = Buffer.concat([length, Buffer.from(header), data]);
    expect(readFileSync(path).toString('latin1')).to.equal(expected.toString('latin1'));
  });

  it('gives back what was written: names, order, dtypes, shapes, values, metadata', () => {
    const path = join(folder, 'a.safetensors');
    const { tensors } = readSafetensors(fixture);
    tensors.set('7', ndarray('float32', [1], Float32Array.of(NaN)));
    writeSafetensors(path, tensors, { note: 'größe "1"\n' });
    const again = readSafetensors(path);
    expect(rowsOf(again.tensors)).to.deep.equal(rowsOf(tensors));
    expect(again.metadata).to.deep.equal({ note: 'größe "1"\n' });
  });

  it('writes an empty file that it can read', () => {
    const path = join(folder, 'a.safetensors');
    writeSafetensors(path, new Map());
    const { tensors, metadata } = readSafetensors(path);
    expect(tensors.size).to.equal(0);
    expect(metadata).to.deep.equal({});
  });

  it('reads an empty tensor that shares its place with the next one, in any order', () => {
    const bytes = fileOf({ a: entry('U8', [1], [0, 1]), b: entry('U8', [0], [0, 0]) }, 1);
    expect([...parseSafetensors(bytes, 'x').tensors.keys()]).to.have.members(['a', 'b']);
  });

  it('does not take metadata for a tensor', () => {
    const tensors: NamedArrays = new Map([['__metadata__', ndarray('bool', [0])]]);
    expect(() => writeSafetensors(join(folder, 'a'), tensors)).to.throw('__metadata__');
  });

  it('names a missing file and a folder', async () => {
    const missing = join(folder, 'none.safetensors');
    expect(await complaintOf(missing, () => readSafetensors(missing))).to.equal('no such file');
    expect(await complaintOf(folder, () => readSafetensors(folder))).to.contain('cannot be read');
  });

  const damages: [string, Uint8Array, string][] = [
    ['a header length beyond the file', Uint8Array.of(9, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x7d), 'only 2 follow'],
    ['a header length beyond 2^53', new Uint8Array(16).fill(0xff), 'its header should have 18446744073709551615 bytes'],
    ['a header that is not JSON', fileOf('{"a":'), 'its header is not JSON'],
    ['a header that is not UTF-8', Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0, 0x22, 0xff, 0x22), 'its header is not JSON'],
    ['a header nested very deeply', fileOf('['.repeat(200_000)), 'its header is not JSON'],
    ['a list as header', fileOf([]), 'not a JSON object'],
    [
      'metadata that are not strings',
      fileOf({ __metadata__: { epoch: 3 } }),
      '__metadata__ is not an object of strings',
    ],
    ['metadata that are a list', fileOf({ __metadata__: ['a'] }), '__metadata__ is not an object of strings'],
    ['an entry that is null', fileOf({ a: null }), 'the description of "a" is not an object'],
    [
      'an unknown dtype',
      fileOf({ a: entry('F8_E4M3', [0], [0, 0]) }),
      '"a" has the dtype "F8_E4M3", accepted are F64, F32',
    ],
    [
      'a dtype of the wrong type',
      fileOf({ a: entry({ toString: 1 }, [0], [0, 0]) }),
      'the dtype of "a" is not a string',
    ],
    ['no shape', fileOf({ a: entry('F32', undefined, [0, 4]) }), 'the shape of "a"'],
    ['a negative shape', fileOf({ a: entry('F32', [-1, -1], [0, 4]) }, 4), 'the shape of "a"'],
    ['a fractional shape', fileOf({ a: entry('F32', [1.5], [0, 6]) }, 6), 'the shape of "a"'],
    ['three offsets', fileOf({ a: entry('F32', [1], [0, 4, 8]) }, 8), 'the data_offsets of "a"'],
    [
      'a shape that does not fit',
      fileOf({ a: entry('F32', [2], [0, 4]) }, 4),
      '"a" of shape [2] and dtype F32 has 4 bytes',
    ],
    ['offsets in reverse', fileOf({ a: entry('F32', [1], [4, 0]) }, 4), 'has -4 bytes'],
    [
      'a shape beyond numbers',
      fileOf({ a: entry('U8', [...Array<number>(99).fill(2 ** 52), 0], [0, 0]) }),
      'has 0 bytes',
    ],
    [
      'offsets outside',
      fileOf({ a: entry('F32', [2], [0, 8]) }, 4),
      '"a" ends at byte 8, but there are 4 bytes of data',
    ],
    ['an overlap', fileOf({ a: entry('U8', [2], [0, 2]), b: entry('U8', [2], [1, 3]) }, 3), '"b" starts at byte 1'],
    ['a gap', fileOf({ a: entry('U8', [1], [0, 1]), b: entry('U8', [1], [2, 3]) }, 3), '"b" starts at byte 2'],
    ['data of no tensor', fileOf({ a: entry('U8', [1], [0, 1]) }, 3), 'its tensors take 1 bytes, but there are 3'],
    ['a control character in a name', fileOf({ 'a\u001b\n': 1 }), 'the description of "a\\u001b\\n"'],
  ];
  for (const [what, bytes, why] of damages) {
    it(`refuses ${what}`, async () => {
      const complaint = await complaintOf('x.safetensors', () => parseSafetensors(bytes, 'x.safetensors'));
      expect(complaint).to.match(/^not a valid safetensors file: /);
      expect(complaint).to.contain(why);
    });
  }

  it('keeps what was there under another name where it is asked to', () => {
    const [path, before] = [join(folder, 'a.safetensors'), join(folder, 'before.safetensors')];
    const numbered = (n: number): NamedArrays => new Map([['n', ndarray('uint8', [1], Uint8Array.of(n))]]);
    for (const n of [1, 2, 3]) writeSafetensors(path, numbered(n), {}, before);
    const numberIn = (file: string) => readSafetensors(file).tensors.get('n')!.data[0];
    expect([numberIn(path), numberIn(before)]).to.deep.equal([3, 2]);
  });

  it('refuses a file of ours with any bit changed', async () => {
    const path = join(folder, 'a.safetensors');
    writeSafetensors(path, new Map([['a', ndarray('float32', [2], Float32Array.of(1, 2))]]), { step: '5' });
    const bytes = new Uint8Array(readFileSync(path));
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const changed = bytes.slice();
      changed[bit >> 3]! ^= 1 << (bit & 7);
      // A changed name of the hash makes a file that does not claim to have one.
      if (!Buffer.from(changed).includes('"distillery.sha256"')) continue;
      const complaint = await complaintOf('x', () => parseSafetensors(changed, 'x'));
      expect(complaint, `bit ${bit}`).to.match(/^not a valid safetensors file: /);
    }
  });

  it('refuses a file cut off anywhere', async () => {
    const bytes = Uint8Array.from(readFileSync(fixture));
    for (let length = 0; length < bytes.length; length++) {
      const complaint = await complaintOf('cut', () => parseSafetensors(bytes.slice(0, length), 'cut'));
      expect(complaint).to.contain('not a valid safetensors file');
    }
  });

  it('survives any flipped bit', () => {
    const original = Uint8Array.from(readFileSync(fixture));
    const flip = fc.nat(8 * original.length - 1);
    fc.assert(
      fc.property(flip, (bit) => {
        const bytes = original.slice();
        bytes[bit >> 3]! ^= 1 << (bit & 7);
        try {
          expect(parseSafetensors(bytes, 'x').tensors.size).to.be.within(11, 13);
        } catch (error) {
          expect(error).to.be.instanceOf(UserError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

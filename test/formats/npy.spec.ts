import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { ndarray, sizeOf } from '../../formats/ndarray';
import { readNpy, writeNpy } from '../../formats/npy';
import { UserError } from '../../utils/errors';
import { complaintOf } from '../utils/rows';

const fixtures = join(__dirname, '..', 'fixtures', 'npy');

interface Expected {
  arrays: Record<string, { dtype: string; shape: number[]; elements: (number | string)[] }>;
  written: { shape: number[]; sha256: string }[];
}
const { arrays, written } = JSON.parse(readFileSync(join(fixtures, 'expected.json'), 'utf8')) as Expected;

/** A file of version 1 with this header and this many bytes of data. */
function fileOf(header: string, dataLength = 0, version = [1, 0]): Uint8Array {
  const length = version[0] === 1 ? Buffer.alloc(2) : Buffer.alloc(4);
  length.writeUIntLE(header.length, 0, length.length);
  const magic = Buffer.from('\x93NUMPY', 'latin1');
  return Buffer.concat([magic, Buffer.from(version), length, Buffer.from(header, 'latin1'), Buffer.alloc(dataLength)]);
}

describe('npy', () => {
  let folder: string;
  let path: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'npy-'));
    path = join(folder, 'a.npy');
  });
  after(() => rmSync(folder, { recursive: true }));

  const reading = (bytes: Uint8Array) => {
    writeFileSync(path, bytes);
    return readNpy(path);
  };

  for (const [name, { dtype, shape, elements }] of Object.entries(arrays)) {
    it(`reads NumPy's ${name}.npy`, () => {
      const array = readNpy(join(fixtures, `${name}.npy`));
      expect(array.dtype).to.equal(dtype);
      expect(array.shape).to.deep.equal(shape);
      const values = Array.from<number | bigint>(array.data as Float32Array);
      expect(values.map((value) => (typeof value === 'bigint' ? String(value) : value))).to.deep.equal(elements);
    });
  }

  it('writes what numpy.save writes, to the byte', () => {
    for (const { shape, sha256 } of written) {
      writeNpy(
        path,
        ndarray(
          'float32',
          shape,
          Float32Array.from({ length: sizeOf(shape) }, (_, i) => i),
        ),
      );
      expect(createHash('sha256').update(readFileSync(path)).digest('hex'), `[${shape.join()}]`).to.equal(sha256);
    }
  });

  it('reads what it wrote, NaN and infinity too', () => {
    const data = Float32Array.of(NaN, Infinity, -Infinity, -0, 1.17549435e-38, 1e-45);
    writeNpy(path, ndarray('float32', [3, 2], data));
    expect(readNpy(path)).to.deep.equal({ dtype: 'float32', shape: [3, 2], data });
  });

  it('reads headers in another style: order of the keys, quotes, spaces, the long integers of Python 2', () => {
    for (const header of [
      '{"shape": (2L, 3L), "fortran_order": False, "descr": "<f4"}',
      "{'fortran_order':False,'descr':'<f4','shape':(2,3,),}\n",
    ]) {
      expect(reading(fileOf(header, 24)).shape).to.deep.equal([2, 3]);
    }
  });

  const sound = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
  const refused: [what: string, bytes: Uint8Array, complaint: RegExp][] = [
    ['an empty file', new Uint8Array(), /^it does not begin with \\x93NUMPY$/],
    ['another kind of file', Buffer.from('PK\x03\x04 and so on'), /^it does not begin with \\x93NUMPY$/],
    ['version 0', fileOf(sound, 24, [0, 0]), /^it is of version 0, accepted are 1, 2 and 3$/],
    ['version 4', fileOf(sound, 24, [4, 0]), /^it is of version 4, accepted are 1, 2 and 3$/],
    ['a file cut in its header', fileOf(sound, 0).subarray(0, 40), /^it ends inside its header of 59 bytes$/],
    [
      'a header that is too long',
      fileOf(sound.padEnd(10_001), 24),
      /^its header has 10001 bytes, accepted are up to 10000$/,
    ],
    ['too few bytes', fileOf(sound, 23), /^shape \[2, 3\] and dtype <f4 take 24 bytes, but it has 23$/],
    ['too many bytes', fileOf(sound, 25), /^shape \[2, 3\] and dtype <f4 take 24 bytes, but it has 25$/],
    [
      'a huge shape',
      fileOf(sound.replace('2, 3', '9007199254740991, 99999'), 24),
      /take 3\.6\d+e\+21 bytes, but it has 24$/,
    ],
    [
      'a dtype that is not supported',
      fileOf(sound.replace('<f4', '<f2'), 24),
      /^its dtype is "<f2", accepted are <f4, <f8, <i4, <i8, \|u1, \|i1, \|b1$/,
    ],
    ...['-2, 3', '2.5, 3', '1e400, 3', '9007199254740993, 3', "'2', 3", '(2, 3), 1', '1, '.repeat(65), 'None'].map(
      (shape): [string, Uint8Array, RegExp] => [
        `the shape (${shape})`,
        fileOf(sound.replace('2, 3', shape), 24),
        /^its header is not a dict of descr, fortran_order and shape: "/,
      ],
    ),
    ...[
      '',
      '[]',
      'null',
      '{}',
      sound.slice(0, -1),
      `${sound} + {}`,
      sound.replace('False', '0'),
      sound.replace("'<f4'", '4'),
      sound.replace('}', "'more': 1}"),
      sound.replace('shape', 'form'),
      sound.replace("'shape': (2, 3), ", ''),
      sound.replace('(2, 3)', "__import__('os').system('true')"),
      '['.repeat(9_999),
    ].map((header): [string, Uint8Array, RegExp] => [
      `the header ${header.slice(0, 80)}`,
      fileOf(header, 24),
      /^its header is not a dict of descr, fortran_order and shape: "/,
    ]),
  ];
  for (const [what, bytes, complaint] of refused) {
    it(`refuses ${what}`, async () => {
      const said = await complaintOf(path, () => reading(bytes));
      expect(said).to.match(/^not a valid \.npy file: /);
      expect(said.slice('not a valid .npy file: '.length)).to.match(complaint);
    });
  }

  it("refuses NumPy's other dtypes by name", async () => {
    const names = { big_endian: '>f4', float16: '<f2', complex: '<c8', text: '<U3', objects: '|O' };
    for (const [name, descr] of Object.entries(names)) {
      const file = join(fixtures, `${name}.npy`);
      expect(await complaintOf(file, () => readNpy(file))).to.contain(`its dtype is "${descr}", accepted are <f4, `);
    }
    const file = join(fixtures, 'structured.npy');
    expect(await complaintOf(file, () => readNpy(file))).to.contain('its header is not a dict of');
  });

  it('names a missing file', async () => {
    const missing = join(folder, 'none.npy');
    expect(await complaintOf(missing, () => readNpy(missing))).to.equal('no such file');
  });

  it('refuses a file cut off anywhere', async () => {
    for (const name of ['float32', 'int64', 'version_2']) {
      const bytes = readFileSync(join(fixtures, `${name}.npy`));
      for (let length = 0; length < bytes.length; length++) {
        const complaint = await complaintOf(path, () => reading(bytes.subarray(0, length)));
        expect(complaint, `${length} bytes`).to.match(/^not a valid \.npy file: /);
      }
    }
  });

  it('answers any bytes with an array no larger than they are, or with one line', () => {
    const originals = readdirSync(fixtures)
      .filter((name) => name.endsWith('.npy'))
      .map((name) => readFileSync(join(fixtures, name)));
    const word = fc.constantFrom(
      "'descr'",
      "'shape'",
      "'fortran_order'",
      ': ',
      ', ',
      '(',
      ')',
      '{',
      '}',
      "'<f4'",
      'True',
      '-1',
      '0',
      '9'.repeat(17),
      '6',
    );
    const crafted = fc
      .tuple(fc.array(word, { maxLength: 30 }), fc.nat(30))
      .map(([words, data]) => Uint8Array.from(fileOf(words.join(''), data)));
    const mutated = fc
      .tuple(
        fc.constantFrom(...originals),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        fc.option(fc.nat(300)),
      )
      .map(([original, edits, length]) => {
        const bytes = Uint8Array.from(original);
        for (const [at, value] of edits) bytes[at % bytes.length] = value;
        return length === null ? bytes : bytes.subarray(0, length);
      });
    fc.assert(
      fc.property(fc.oneof(mutated, crafted), (bytes) => {
        try {
          const { data, shape } = reading(bytes);
          expect(data.byteLength).to.be.at.most(bytes.length);
          expect(data.length).to.equal(sizeOf(shape));
        } catch (error) {
          expect(error).to.be.instanceOf(UserError);
          expect((error as UserError).message).to.match(/^[^\n\x00-\x1f]+: not a valid \.npy file: [^\n\x00-\x1f]+$/);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

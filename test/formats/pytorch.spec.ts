import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { readBytes } from '../../formats/binary';
import { sizeOf } from '../../formats/ndarray';
import { parseTorchCheckpoint } from '../../formats/pytorch/index';
import { UserError } from '../../utils/errors';
import { readJson } from '../../utils/files';
import { complaintOf, rowsOf, type Row } from '../utils/rows';

const folder = 'test/fixtures/torch';
const expected = readJson(join(folder, 'expected.json')) as Record<string, Row[]>;
const formats = ['zip', 'legacy'];

const pathOf = (file: string): string => join(folder, `${file}.pt`);
const bytesOfFile = (file: string): Uint8Array => Uint8Array.from(readFileSync(pathOf(file)));
const readTorchCheckpoint = async (path: string) => parseTorchCheckpoint(readBytes(path), path);
const complaintAbout = (bytes: Uint8Array): Promise<string> => complaintOf('x', () => parseTorchCheckpoint(bytes, 'x'));

/** `bytes` with `patch` written over the place where `search` is found, `offset` bytes behind its start. */
function patched(bytes: Uint8Array, search: string, offset: number, patch: number): Uint8Array {
  const at = Buffer.from(bytes).indexOf(search, 0, 'latin1');
  expect(at, search).to.be.at.least(0);
  return bytes.with(at + offset, patch);
}

/** The tensors of a file with one bit flipped, or undefined where that was noticed. */
async function readFlipped(original: Uint8Array, bit: number): Promise<Row[] | undefined> {
  const bytes = original.with(bit >> 3, original[bit >> 3]! ^ (1 << (bit & 7)));
  try {
    return rowsOf(await parseTorchCheckpoint(bytes, 'x'));
  } catch (error) {
    expect(error).to.be.instanceOf(UserError);
    return undefined;
  }
}

describe('PyTorch checkpoints', () => {
  for (const format of formats) {
    for (const [file, values] of [
      ['kinds', 'kinds'],
      ['protocol4', 'kinds'],
      ['checkpoint', 'checkpoint'],
      ['names', 'names'],
      ['cycle', 'cycle'],
    ]) {
      it(`reads ${file}.${format}.pt as torch.load does`, async () => {
        const tensors = await readTorchCheckpoint(pathOf(`${file}.${format}`));
        expect(rowsOf(tensors)).to.deep.equal(expected[values!]);
      });
    }

    it(`gives every tensor memory of its own (${format})`, async () => {
      const tensors = await parseTorchCheckpoint(readFileSync(pathOf(`kinds.${format}`)), 'x');
      expect(new Set([...tensors.values()].map(({ data }) => data.buffer)).size).to.equal(expected.kinds!.length);
    });

    for (const file of ['attack', 'attack4']) {
      it(`runs nothing of ${file}.${format}.pt`, async () => {
        const marker = 'torch-fixture-was-executed';
        const path = pathOf(`${file}.${format}`);
        expect(readFileSync(path, 'latin1')).to.contain(`echo > ${marker}`);
        expect(await complaintOf(path, () => readTorchCheckpoint(path))).to.equal(
          'refused: it has no state dict, but "state_dict" (of "posix.system"); accepted are state_dict_ema, ' +
            'model_ema, ema, state_dict, model_state_dict, model, net, weights, student, teacher',
        );
        expect(existsSync(marker)).to.equal(false);
      });
    }

    for (const file of ['whole_module', 'whole_module4']) {
      it(`tells how to save ${file}.${format}.pt instead`, async () => {
        const path = pathOf(`${file}.${format}`);
        expect(await complaintOf(path, () => readTorchCheckpoint(path))).to.match(
          /^refused: it is a pickled module of the class "__main__.Net", .*: in Python, save model.state_dict\(\) instead$/,
        );
      });
    }

    it(`survives any flipped bit (${format})`, async () => {
      const original = bytesOfFile(`kinds.${format}`);
      const flips = fc.nat(8 * original.length - 1);
      const property = fc.asyncProperty(flips, async (bit) => {
        const rows = await readFlipped(original, bit);
        // A zip file has checksums: what is read is what was written.
        if (rows && format === 'zip') expect(rows).to.deep.equal(expected.kinds);
      });
      await fc.assert(property, { numRuns: 400 });
    });

    it(`refuses a file cut off anywhere (${format})`, async () => {
      const bytes = bytesOfFile(`kinds.${format}`);
      const lengths = Array.from(bytes.keys()).filter((length) => length < 20 || length % 7 === 0);
      for (const length of [...lengths, bytes.length - 1]) {
        expect(await complaintAbout(bytes.slice(0, length))).to.contain('not a valid PyTorch checkpoint');
      }
    });
  }

  const refused: [string, string][] = [
    ['sparse.zip', '"weight" is a sparse tensor'],
    ['quantised.zip', '"weight" is quantized'],
    ['complex.zip', '"weight" holds complex numbers'],
    ['a_list.zip', 'it does not hold a dict, accepted is a state dict'],
    ['torchscript.zip', 'TorchScript'],
    ['twice.legacy', 'it contains "weight" with and without "module."'],
    ['huge_shape.legacy', 'its tensors would take 4398046511104 bytes'],
    ['bomb.legacy', 'its tensors would take 4294967296 bytes'],
    ['unsafe_shape.legacy', 'a tensor does not have the form that torch.save writes'],
    ['overflowing_shape.legacy', 'a tensor does not have the form that torch.save writes'],
    ['negative_shape.legacy', 'a tensor does not have the form that torch.save writes'],
    ['negative_stride.legacy', 'a tensor does not have the form that torch.save writes'],
    ['negative_offset.legacy', 'a tensor does not have the form that torch.save writes'],
    ['fraction.legacy', 'a tensor does not have the form that torch.save writes'],
    ['ranks_differ.legacy', 'a tensor does not have the form that torch.save writes'],
    ['rank_65.legacy', 'a tensor does not have the form that torch.save writes'],
    ['offset_outside.legacy', '"weight" reaches to element 4 of a storage of 4'],
    ['stride_outside.legacy', '"weight" reaches to element 4 of a storage of 4'],
    ['duplicates.zip', 'it contains "a/0" twice'],
    ['overlap.zip', 'its entries overlap'],
    ['compressed.zip', 'is compressed'],
    ['big_endian.zip', 'it is not little-endian'],
    ['no_pickle.zip', 'it holds NumPy arrays'],
    ['no_data.zip', 'the data of "__proto__" is missing'],
    ['short_data.zip', 'the data of "__proto__" is missing or has another length'],
  ];
  for (const [file, why] of refused) {
    it(`refuses ${file}.pt`, async () => {
      const path = pathOf(file);
      expect(await complaintOf(path, () => readTorchCheckpoint(path))).to.contain(why);
    });
  }

  it('reads a zip file that names its byte order', async () => {
    expect(rowsOf(await readTorchCheckpoint(pathOf('little_endian.zip')))).to.deep.equal(expected.names);
  });

  it('checks what stands around the object in the legacy format', async () => {
    const bytes = bytesOfFile('cycle.legacy');
    expect(await complaintAbout(patched(bytes, '\x8a\x0a\x6c', 2, 0x6d))).to.contain('not one of torch.save');
    expect(await complaintAbout(patched(bytes, 'M\xe9\x03', 1, 0xea))).to.contain('protocol version is not 1001');
    expect(await complaintAbout(patched(bytes, 'little_endianq\x02\x88', 15, 0x89))).to.contain('not little-endian');
    expect(await complaintAbout(patched(bytes, 'K\x02Nt', 2, 0x89))).to.contain('a storage does not have the form');
    // The file ends with …key, memo opcode (2), APPEND, STOP, number of elements (8), two floats (8).
    expect(await complaintAbout(bytes.with(-16, 3))).to.contain('does not have 2 elements');
    expect(await complaintAbout(bytes.with(-18, 0x4e))).to.contain('its list of storages is not a list');
    expect(await complaintAbout(bytes.with(-21, 0x78))).to.contain('contains one that no tensor uses');
  });

  it('takes one description of a storage that tensors share', async () => {
    const bytes = patched(bytesOfFile('kinds.legacy'), 'K\x0aN', 1, 11);
    expect(await complaintAbout(bytes)).to.match(/the storage "\d+" in two different ways/);
  });

  it('notices data that do not match their checksum', async () => {
    const bytes = patched(bytesOfFile('checkpoint.zip'), 'data.pkl', 60, 0x7f);
    expect(await complaintAbout(bytes)).to.contain('the checksum of "checkpoint.zip/data.pkl" is wrong');
  });

  it('names a missing file', async () => {
    expect(await complaintOf('none.pt', () => readTorchCheckpoint('none.pt'))).to.equal('no such file');
  });

  it('refuses what is no file of torch.save', async () => {
    for (const text of ['', 'P', 'PK\x03\x04', 'hello', '\x1f\x8b\x08', '\x80\x02}.', '\x80\x02K\x05.']) {
      expect(await complaintAbout(Buffer.from(text, 'latin1')), text).to.contain('not a valid PyTorch checkpoint');
    }
  });

  const broken: [string, string, string][] = [
    ['calls a number', 'K\x05)R', 'the pickle calls something that is not a function'],
    ['calls with a number', 'ccollections\nOrderedDict\nK\x05R', 'the pickle calls something that is not a function'],
    [
      'makes an OrderedDict of a number',
      'ccollections\nOrderedDict\nK\x05\x85R',
      'an OrderedDict does not have the form',
    ],
    ['makes a parameter of nothing', 'ctorch._utils\n_rebuild_parameter\n)R', 'a parameter does not have the form'],
    ['makes a tensor of a dict', 'ctorch._utils\n_rebuild_tensor_v2\n(}KKK\x01))tR', 'a tensor does not have the form'],
    ['names a storage by a number', 'K\x05Q', 'a storage does not have the form'],
    ['sets half an item', '}(K\x01u', 'the pickle sets items of something that is not a dict'],
    ['sets an item of a list', ']K\x01K\x01s', 'the pickle sets items of something that is not a dict'],
    ['appends to a dict', '}K\x01a', 'the pickle appends to something that is not a list'],
    ['goes back to no mark', 't', 'the pickle returns to a mark that does not exist'],
    ['recalls nothing', 'h\x07', 'the pickle recalls a value that it has not stored'],
    ['makes a tuple of nothing', 'K\x01\x86', 'the pickle takes a value from an empty stack'],
    ['names a global by a number', 'K\x01K\x01\x93', 'the pickle requests a global without a name'],
    ['has text that is not UTF-8', 'X\x01\x00\x00\x00\xff', 'a text in the pickle is not UTF-8'],
    ['has an old opcode', 'iposix\nsystem\n', 'refused: the pickle has opcode 0x69'],
    ['adds to a list as to a set', '](K\x01\x90', 'the pickle adds to something that is not a set'],
    ['has an integer of a megabyte', `\x8b\x00\x00\x10\x00${'\x00'.repeat(2 ** 20)}`, 'an integer of 1048576 bytes'],
    ['has a text without end', '\x8d\xff\xff\xff\xff\xff\xff\xff\xff', 'extends beyond its end'],
  ];
  for (const [what, body, why] of broken) {
    it(`refuses a pickle that ${what}`, async () => {
      expect(await complaintAbout(Buffer.from(`\x80\x02${body}.`, 'latin1'))).to.contain(why);
    });
  }

  it('names what stands in place of a state dict without control characters', async () => {
    const magic = '\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.';
    const system = '\x80\x02}X\x0d\x00\x00\x00little_endian\x88s.';
    const object = '\x80\x02}X\x05\x00\x00\x00modelca\x1b[1m\nb\r\n)Rs.\x80\x02].';
    expect(await complaintAbout(Buffer.from(magic + system + object, 'latin1'))).to.contain(
      'but "model" (of "a\\u001b[1m.b\\r")',
    );
  });

  it('bears deep nesting and endless pickles', async () => {
    const pickle = (body: Buffer): Buffer => Buffer.concat([Buffer.of(0x80, 2), body, Buffer.from('.')]);
    const nested = Buffer.concat([Buffer.alloc(100_000, ']'), Buffer.alloc(99_999, 'a')]);
    expect(await complaintAbout(pickle(nested))).to.contain('not one of torch.save');
    expect(await complaintAbout(pickle(Buffer.alloc(100_000, '(')))).to.contain('a value from an empty stack');
    expect(await complaintAbout(pickle(Buffer.alloc(1_100_000, '}')))).to.contain('more than 1000000 opcodes');
  });

  it('survives any sequence of opcodes', async () => {
    const opcodes = [...Buffer.from('.(q\x00r\x00\x00\x00\x00h\x00KJMNGX\x01\x00\x00\x00a)]taeu}scR', 'latin1')];
    const bytes = fc.array(
      fc.constantFrom(
        ...opcodes,
        0x85,
        0x86,
        0x87,
        0x88,
        0x8a,
        0x8c,
        0x93,
        0x94,
        0x51,
        0x62,
        0x30,
        0x31,
        0x55,
        0x81,
        0x8b,
        0x8d,
        0x8e,
        0x8f,
        0x90,
        0x91,
        0x92,
        0x96,
      ),
    );
    const property = fc.asyncProperty(bytes, async (body) => {
      const complaint = await complaintAbout(Uint8Array.of(0x80, 2, ...body));
      expect(complaint).to.match(/^(not a valid PyTorch checkpoint|refused): ./);
    });
    await fc.assert(property, { numRuns: 1000 });
  });

  it('reads published checkpoints, where they are at hand', async function () {
    const teachers = '../shared/teachers';
    if (!existsSync(teachers)) this.skip();
    const published: [string, number, number, string, number[]][] = [
      ['karanchahal_resnet8_cifar10.pth', 62, 89_322, 'linear.weight', [10, 256]],
      ['karanchahal_resnet14_cifar10.pth', 98, 186_538, 'layer1.0.shortcut.0.weight', [16, 64, 1, 1]],
      ['karanchahal_resnet20_cifar10.pth', 134, 283_754, 'conv1.weight', [64, 3, 3, 3]],
      ['resnet20-12fca82f.th', 97, 269_722, 'linear.weight', [10, 64]],
      ['resnet56-4bfd9763.th', 277, 853_018, 'layer3.8.conv2.weight', [64, 64, 3, 3]],
    ];
    for (const [file, count, parameters, name, shape] of published) {
      const tensors = await readTorchCheckpoint(join(teachers, file));
      expect(tensors.size, file).to.equal(count);
      expect(tensors.get(name)?.shape, file).to.deep.equal(shape);
      const isParameter = (key: string): boolean => /(weight|bias)$/.test(key);
      const sizes = [...tensors].filter(([key]) => isParameter(key)).map(([, array]) => sizeOf(array.shape));
      expect(sizes.reduce((sum, size) => sum + size, 0)).to.equal(parameters);
      expect([...tensors.keys()].some((key) => key.startsWith('module.'))).to.equal(false);
    }
  });
});

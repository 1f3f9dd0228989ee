import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { loadNpz } from '../../../../model/data/sets/npz';
import type { NpzParams } from '../../../../model/data/sets/npz';
import { UserError } from '../../../../utils/errors';
import { fakePixel } from '../fakeCifar10';
import { npy, npzArrays, zip } from '../fakes';

let dir: string;
let file: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'npz-'));
  file = join(dir, 'a.npz');
});
afterEach(() => rmSync(dir, { recursive: true }));

const load = (changes: Partial<NpzParams> = {}) => loadNpz({ name: 'npz', file, test: 0.2, seed: 0, ...changes });
const write = (arrays: Record<string, Uint8Array>, packed = true) => writeFileSync(file, zip(arrays, packed));

async function refusal(changes: Partial<NpzParams> = {}): Promise<string> {
  const error: unknown = await load(changes).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).to.be.instanceOf(UserError);
  expect((error as Error).message).to.not.include('\n');
  return (error as Error).message;
}

describe('loadNpz', () => {
  for (const packed of [true, false]) {
    it(`reads ${packed ? 'compressed' : 'plain'} arrays of MedMNIST, in color`, async () => {
      write(npzArrays({ train: 9, val: 5, test: 6 }, 3), packed);
      const { train, validation, test, shape, classes, normalize } = await load();
      expect([train.size, validation!.size, test.size]).to.deep.equal([9, 5, 6]);
      expect([shape, classes]).to.deep.equal([
        [3, 28, 28],
        ['0', '1', '2', '3', '4', '5', '6'],
      ]);
      expect([...train.labels]).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 0, 1]);
      for (const [channel, place] of [
        [0, 0],
        [1, 400],
        [2, 783],
      ] as const) {
        expect(train.images[8 * 2352 + channel * 784 + place]).to.equal(fakePixel(8, place * 3 + channel));
      }
      const blue = train.images.filter((_, i) => Math.floor(i / 784) % 3 === 2);
      const mean = blue.reduce((sum, value) => sum + value, 0) / blue.length;
      const std = Math.sqrt(blue.reduce((sum, value) => sum + (value - mean) ** 2, 0) / blue.length);
      expect(normalize.mean[2]).to.be.closeTo(mean / 255, 1e-9);
      expect(normalize.std[2]).to.be.closeTo(std / 255, 1e-9);
    });
  }

  it("reads gray arrays of Keras and of others' names, and rows with a single one as labels", async () => {
    const { 'a_images.npy': images, 'a_labels.npy': labels } = npzArrays({ a: 10 }, 1);
    write({ 'x_train.npy': images!, 'y_train.npy': labels!, 'x_test.npy': images!, 'y_test.npy': labels! });
    const keras = await load();
    expect([keras.shape, keras.train.size, keras.test.size]).to.deep.equal([[1, 28, 28], 10, 10]);
    const hot = Uint8Array.from({ length: 30 }, (_, i) => (i % 3 === Math.floor(i / 3) % 2 ? 1 : 0));
    write({ 'pics.npy': images!, 'hot.npy': npy('|u1', [10, 3], hot) });
    const { train, test, classes } = await load({ arrays: { train: ['pics', 'hot'] } });
    expect(classes).to.deep.equal(['0', '1', '2']);
    expect([train.size, test.size]).to.deep.equal([8, 2]);
    expect([...train.labels, ...test.labels].sort()).to.deep.equal([0, 0, 0, 0, 0, 1, 1, 1, 1, 1]);
  });

  it('reads channels in front and images in the order of Fortran', async () => {
    const planes = Uint8Array.from({ length: 2 * 3 * 4 * 5 }, (_, i) => i);
    const labels = npy('|u1', [2], Uint8Array.of(0, 1));
    write({
      'x_train.npy': npy('|u1', [2, 3, 4, 5], planes),
      'y_train.npy': labels,
      'x_test.npy': npy('|u1', [2, 3, 4, 5], planes),
      'y_test.npy': labels,
    });
    const { train, shape } = await load();
    expect(shape).to.deep.equal([3, 4, 5]);
    expect(train.images).to.deep.equal(planes);
  });

  it('refuses what it cannot train on, in one line', async () => {
    const { 'a_images.npy': images, 'a_labels.npy': labels } = npzArrays({ a: 10 }, 1);
    const wrong = (x: Uint8Array, y: Uint8Array) => write({ 'x_train.npy': x, 'y_train.npy': y });
    write({ 'foo.npy': images!, 'bar.npy': labels! });
    expect(await refusal()).to.equal(
      `${file}: its arrays are "foo", "bar"; name them: "arrays": {"train": [IMAGES, LABELS], "test": [IMAGES, LABELS]}`,
    );
    expect(await refusal({ arrays: { train: ['foo', 'baz'] } })).to.include(
      'contains no array "baz": its arrays are "foo"',
    );
    wrong(npy('<f4', [1, 2, 2], new Uint8Array(16)), labels!);
    expect(await refusal()).to.include(
      '"x_train" is float32 [1, 2, 2], accepted are uint8 images: if values are from 0 to 1, save them as',
    );
    wrong(npy('|u1', [10, 4, 4, 4], new Uint8Array(640)), labels!);
    expect(await refusal()).to.include('accepted are [N, H, W], [N, H, W, C] and [N, C, H, W] with 1 or 3 channels C');
    wrong(images!, npy('|u1', [9], new Uint8Array(9)));
    expect(await refusal()).to.include('"y_train" has the shape [9], accepted are [10], [10, 1] and [10, classes]');
    wrong(images!, npy('|u1', [10, 14], new Uint8Array(140)));
    expect(await refusal()).to.include('row 0 of 14 labels is not one-hot');
    wrong(images!, npy('|i1', [10], Uint8Array.of(0, 255, 0, 0, 0, 0, 0, 0, 0, 0)));
    expect(await refusal()).to.include('element 1 is the label -1, accepted are integers from 0');
    wrong(images!, npy('|O', [10], new Uint8Array(80)));
    expect(await refusal()).to.include(`"y_train": not a valid .npy file: its dtype is "|O"`);
    const bytes = zip({ 'x_train.npy': images!, 'y_train.npy': labels! }, false);
    bytes[300]! ^= 1;
    writeFileSync(file, bytes);
    expect(await refusal()).to.include('not a valid .npz file: the checksum of "x_train" is wrong');
    writeFileSync(file, 'no zip');
    expect(await refusal()).to.match(/not a valid \.npz file: .*End of Central Directory/i);
    rmSync(file);
    expect(await refusal()).to.equal(`${file}: no such file`);
  });
});

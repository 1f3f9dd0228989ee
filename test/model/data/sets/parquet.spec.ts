import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as zlib from 'node:zlib';
import { expect } from 'chai';
import type { Dataset, StoredSplit } from '../../../../model/data/dataset';
import { loadParquet } from '../../../../model/data/sets/parquet';
import type { ParquetParams } from '../../../../model/data/sets/parquet';
import { UserError } from '../../../../utils/errors';

const fixtures = join(__dirname, '..', '..', '..', 'fixtures', 'data');
const fixture = (name: string) => join(fixtures, 'parquet_cases', `${name}.parquet`);

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'parquet-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const load = (path: string, changes: Partial<ParquetParams> = {}): Promise<Dataset> =>
  loadParquet({
    name: 'parquet',
    dir: path,
    test: 0.25,
    seed: 0,
    on_bad_image: 'refuse',
    cache: join(dir, 'cache'),
    cache_gigabytes: 1,
    ...changes,
  });

async function refusal(path: string, changes: Partial<ParquetParams> = {}): Promise<string> {
  const error: unknown = await load(path, changes).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).to.be.instanceOf(UserError);
  expect((error as Error).message).to.not.include('\n');
  return (error as Error).message;
}

const labels = ({ train, test }: Dataset) => [...train.labels, ...test.labels].sort();

describe('loadParquet', () => {
  it('reads one file, of which a share of each class is held out', async () => {
    const { train, test, classes, shape } = await load(
      join(fixtures, 'parquet', 'data', 'train-00000-of-00002.parquet'),
    );
    expect([classes, shape, train.size, test.size]).to.deep.equal([['ant', 'bee', 'cat'], [3, 7, 10], 14, 6]);
  });

  it('takes the columns that the metadata tell, or those that are named', async () => {
    const fine = await load(fixture('two_labels'));
    expect([fine.classes, labels(fine)]).to.deep.equal([
      ['ant', 'bee', 'cat'],
      [0, 1, 1, 2],
    ]);
    const coarse = await load(fixture('two_labels'), { label: 'coarse_label' });
    expect([coarse.classes, labels(coarse)]).to.deep.equal([
      ['x', 'y', 'z'],
      [0, 1, 2, 2],
    ]);
    expect(await refusal(fixture('two_labels'), { label: 'color' })).to.equal(
      `${fixture('two_labels')}: no column "color": its columns are "coarse_label", "img", "fine_label"; set "dataset.label" to one of them`,
    );
    const plain = await load(fixture('bytes'));
    expect([plain.classes, labels(plain), plain.shape]).to.deep.equal([
      ['0', '1', '2'],
      [0, 1, 1, 2],
      [3, 7, 10],
    ]);
  });

  it('shows gray images among those in color as such', async () => {
    const { train, test, shape } = await load(fixture('mixed'), { test: 0.4 });
    expect([shape, train.size, test.size]).to.deep.equal([[3, 7, 10], 4, 2]);
    const all = [train, test].flatMap((split) => [...(split as StoredSplit).images]);
    const images = Array.from({ length: 6 }, (_, i) => all.slice(210 * i, 210 * (i + 1)));
    const gray = images.filter((image) => image.slice(0, 70).join() === image.slice(140).join());
    expect(gray).to.have.lengthOf(2);
  });

  it('reads images when they are wanted, where a size is asked for', async () => {
    const whole = await load(join(fixtures, 'parquet'));
    const { train, test, shape } = await load(join(fixtures, 'parquet'), { size: 7, resize: 7, cache_gigabytes: 0 });
    expect([shape, train.size, test.size]).to.deep.equal([[3, 7, 7], 35, 12]);
    if (!('read' in train)) throw new Error('the images are in memory');
    const { images } = whole.train as StoredSplit;
    // The middle 7 of 10 columns begin at the second, as halves are rounded to even numbers.
    for (const example of [34, 0, 21]) {
      const seen = await train.read(example);
      for (const [channel, y, x] of [
        [0, 0, 0],
        [1, 3, 6],
        [2, 6, 1],
      ] as const) {
        expect(seen[channel * 49 + y * 7 + x]).to.equal(images[example * 210 + channel * 70 + y * 10 + x + 2]);
      }
    }
  });

  it('leaves images without a label alone, and says so', async () => {
    mkdirSync(join(dir, 'set'));
    for (const part of ['train', 'test']) cpSync(fixture('unlabeled'), join(dir, 'set', `${part}.parquet`));
    const dataset = await load(join(dir, 'set'));
    expect([dataset.train.size, dataset.test.size]).to.deep.equal([2, 2]);
    expect(dataset.remarks).to.deep.equal(
      ['test', 'train'].map((part) => `${join(dir, 'set', `${part}.parquet`)}: ignored 2 image(s) without a label`),
    );
  });

  it('knows parts by the names of files and folders', async () => {
    const put = (name: string) => {
      mkdirSync(join(dir, name, '..'), { recursive: true });
      cpSync(fixture('bytes'), join(dir, name));
    };
    for (const name of ['plain/train/0000.parquet', 'plain/train/0001.parquet', 'plain/partial-test/0000.parquet'])
      put(name);
    const { train, test, validation } = await load(dir);
    expect([train.size, test.size, validation]).to.deep.equal([8, 4, undefined]);
    put('plain/valid-00000-of-00001-70d52db3c749a935.parquet');
    expect((await load(join(dir, 'plain'))).validation!.size).to.equal(4);
    put('other/train/0000.parquet');
    expect(await refusal(dir)).to.equal(
      `${dir}: contains several data sets, in other, plain: use one of these folders`,
    );
  });

  it('refuses what it cannot train on, in one line', async () => {
    expect(await refusal(fixture('paths'))).to.equal(
      `${fixture('paths')}#0: the image is stored in another file, /home/x/0.png; set "dataset.on_bad_image" to "skip" to ignore bad images`,
    );
    expect(await refusal(fixture('lists'))).to.equal(
      `${fixture('lists')}: the column "labels" is a list or a struct, accepted is one class per image`,
    );
    expect(await refusal(fixture('no_images'))).to.equal(
      `${fixture('no_images')}: no image column: its columns are "text", "label"; set "dataset.image" to one of them`,
    );
    expect(await refusal(fixture('delta'))).to.include(
      'it has pages with the encoding DELTA_BINARY_PACKED, accepted are PLAIN',
    );
    expect(await refusal(fixture('high'))).to.equal(`${fixture('high')}: row 2 has the label 3, accepted are 0 to 2`);
    if (!('zstdDecompressSync' in zlib)) {
      expect(await refusal(fixture('zstd'))).to.include(
        'it is compressed with Zstandard, which requires Node.js 22.15 or later',
      );
    } else expect(labels(await load(fixture('zstd')))).to.deep.equal([0, 1, 1, 2]);
    expect(await refusal(join(dir, 'none'))).to.equal(`${join(dir, 'none')}: no such file or folder`);
    expect(await refusal(dir)).to.equal(`${dir}: contains no .parquet file`);
    const file = join(dir, 'a.parquet');
    writeFileSync(file, readFileSync(fixture('bytes')).subarray(0, 500));
    expect(await refusal(file)).to.include(`${file}: not a valid Parquet file: `);
    mkdirSync(join(dir, 'set'));
    cpSync(fixture('high'), join(dir, 'set', 'train-0.parquet'));
    cpSync(fixture('two_labels'), join(dir, 'set', 'train-1.parquet'));
    expect(await refusal(join(dir, 'set'), { label: 'fine_label' })).to.include('no column "fine_label"');
    cpSync(fixture('two_labels'), join(dir, 'set', 'train-0.parquet'));
    expect((await load(join(dir, 'set'), { label: 'coarse_label' })).classes).to.deep.equal(['x', 'y', 'z']);
  });

  it('names the first class in which shards differ', async () => {
    mkdirSync(join(dir, 'set'));
    const bytes = readFileSync(fixture('two_labels')).toString('latin1');
    writeFileSync(join(dir, 'set', 'train-0.parquet'), Buffer.from(bytes, 'latin1'));
    writeFileSync(join(dir, 'set', 'train-1.parquet'), Buffer.from(bytes.replaceAll('"bee"', '"bat"'), 'latin1'));
    expect(await refusal(join(dir, 'set'))).to.equal(
      `${join(dir, 'set', 'train-1.parquet')}: class 1 is "bat", but "bee" in ${join(dir, 'set', 'train-0.parquet')}`,
    );
  });
});

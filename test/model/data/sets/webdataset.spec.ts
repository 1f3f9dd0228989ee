import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { create } from 'tar';
import type { Dataset, StoredSplit } from '../../../../model/data/dataset';
import { loadWebDataset } from '../../../../model/data/sets/webdataset';
import type { WebDatasetParams } from '../../../../model/data/sets/webdataset';
import { UserError } from '../../../../utils/errors';
import { fakePixel } from '../fakeCifar10';
import { samples, tar, writeFakeWebDataset } from '../fakes';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'webdataset-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const load = (changes: Partial<WebDatasetParams> = {}): Promise<Dataset> =>
  loadWebDataset({
    name: 'webdataset',
    dir,
    test: 0.25,
    seed: 0,
    on_bad_image: 'refuse',
    cache: join(dir, 'cache'),
    cache_gigabytes: 1,
    ...changes,
  });

async function refusal(changes: Partial<WebDatasetParams> = {}): Promise<string> {
  const error: unknown = await load(changes).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).to.be.instanceOf(UserError);
  expect((error as Error).message).to.not.include('\n');
  return (error as Error).message;
}

/** Shards with these files. */
const write = (name: string, files: Parameters<typeof tar>[0]) => writeFileSync(join(dir, name), tar(files));

describe('loadWebDataset', () => {
  let image: Uint8Array;
  before(async () => {
    image = (await samples(0, 1))[1]![1] as Uint8Array;
  });

  it('reads shards by part, in memory or when they are wanted', async () => {
    await writeFakeWebDataset(dir);
    const { train, test, classes, shape } = await load();
    expect([train.size, test.size, classes, shape]).to.deep.equal([35, 12, ['0', '1', '2'], [3, 12, 12]]);
    expect([...train.labels.slice(19, 23)]).to.deep.equal([1, 2, 0, 1]);
    const { images } = train as StoredSplit;
    expect(images[34 * 432 + 144 + 5]).to.equal(fakePixel(34, 5 * 3 + 1));
    const { train: files } = await load({ size: 12, resize: 12, cache_gigabytes: 0 });
    if (!('read' in files)) throw new Error('the images are in memory');
    expect(Buffer.compare(await files.read(34), images.subarray(34 * 432))).to.equal(0);
  });

  it('takes classes from numbers, names and JSON, and their names from a list beside', async () => {
    write('a.tar', [
      ['x/1.json', '{"label": 1, "caption": "y"}'],
      ['x/1.png', image],
      ['x/2.png', image],
      ['x/2.cls', '0'],
      ['x/3.left.PNG', image],
      ['x/3.json', '{"class": 1}'],
      ['v1.0/4.png', image],
      ['v1.0/4.cls', '0'],
    ]);
    const labels = async () => {
      const { train, test, classes } = await load({ test: 0.5 });
      return [[...train.labels, ...test.labels].sort(), classes];
    };
    expect(await labels()).to.deep.equal([
      [0, 0, 1, 1],
      ['0', '1'],
    ]);
    writeFileSync(join(dir, 'classnames.txt'), 'cat\ndog\n');
    expect(await labels()).to.deep.equal([
      [0, 0, 1, 1],
      ['cat', 'dog'],
    ]);
    writeFileSync(join(dir, 'classnames.txt'), 'cat\n');
    expect(await refusal()).to.equal(
      `${join(dir, 'a.tar')}: x/1.png has the class "1", but there are 1 classes in ${join(dir, 'classnames.txt')}, from 0`,
    );
    rmSync(join(dir, 'classnames.txt'));
    write('a.tar', [
      ['1.png', image],
      ['1.cls', 'dog'],
      ['2.png', image],
      ['2.cls', 'cat'],
    ]);
    write('test.tar', [
      ['1.png', image],
      ['1.cls', 'dog'],
    ]);
    const { train, test, classes } = await load();
    expect([classes, [...train.labels], [...test.labels]]).to.deep.equal([['cat', 'dog'], [1, 0], [1]]);
  });

  it('passes over hidden files, folders and what has no image', async () => {
    write('train.tar', [
      ['._1.png', 'junk'],
      ['README', 'text'],
      ['1.txt', 'text'],
      ['2.png', image],
      ['2.cls', '0'],
      ['3.cls', '1'],
      ['4.png', image],
      ['4.cls', '1'],
    ]);
    write('test.tar', [
      ['1.png', image],
      ['1.cls', '1'],
      ['2.png', image],
    ]);
    const { train, test, remarks } = await load();
    expect([[...train.labels], [...test.labels]]).to.deep.equal([[0, 1], [1]]);
    expect(remarks).to.deep.equal([`${dir}: ignored 1 test image(s) without a class`]);
  });

  it('knows long names', async () => {
    const long = `${'folder/'.repeat(30)}ä`;
    const entries = [1, 2].flatMap((i) => [`${long}${i}.png`, `${long}${i}.cls`]);
    mkdirSync(join(dir, 'files', long, '..'), { recursive: true });
    entries.forEach((name, i) => writeFileSync(join(dir, 'files', name), i % 2 === 0 ? image : '0'));
    await create({ file: join(dir, 'a.tar'), cwd: join(dir, 'files') }, entries);
    const { train, test } = await load({ test: 0.5 });
    expect([train.size, test.size]).to.deep.equal([1, 1]);
  });

  it('refuses what it cannot train on, in one line', async () => {
    expect(await refusal()).to.equal(`${dir}: contains no .tar file`);
    const archive = tar([['1.png', image]]);
    writeFileSync(join(dir, 'a.tar.gz'), gzipSync(archive));
    expect(await refusal()).to.equal(`${dir}: contains no .tar file: decompress a.tar.gz with gunzip`);
    write('a.tar', [['1.png', image]]);
    const path = join(dir, 'a.tar');
    expect(await refusal()).to.include(`${path}: a sample has no class: accepted are a number or a name in cls`);
    writeFileSync(path, archive.subarray(0, 600));
    expect(await refusal()).to.equal(`${path}: not a valid tar archive: a truncated file at byte 0`);
    writeFileSync(path, 'x'.repeat(2000));
    expect(await refusal()).to.equal(`${path}: not a valid tar archive: no file header at byte 0`);
    // A date in base 256, whose first byte is 0x80 or 0xff and not this.
    const dated = Buffer.from(archive);
    dated[136] = 0x81;
    writeFileSync(path, dated);
    expect(await refusal()).to.match(/a\.tar: not a valid tar archive: invalid base256 encoding at byte 0$/);
    write('a.tar', [
      ['1.png', image.subarray(0, 50)],
      ['1.cls', '0'],
      ['2.png', image],
      ['2.cls', '1'],
    ]);
    expect(await refusal()).to.include(`${join(dir, 'a.tar', '1.png')}: `);
    expect(readFileSync(path).length).to.be.above(0);
    const skipped = await load({ on_bad_image: 'skip', test: 0.6 }).catch((error: Error) => error.message);
    expect(skipped).to.include('contains no training images');
  });
});

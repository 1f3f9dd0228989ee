import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { loadCifar10 } from '../../../../model/data/sets/cifar10';
import { UserError } from '../../../../utils/errors';
import { fakePixel, fakeRecords, recordBytes, writeFakeCifar10 } from '../fakeCifar10';

describe('loadCifar10', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'cifar10-'));
    writeFakeCifar10(dir);
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  /** Expects a UserError of one line. */
  function expectRefusal(message: string): void {
    expect(() => loadCifar10(dir))
      .to.throw(UserError, message)
      .with.property('message')
      .that.does.not.include('\n');
  }

  it('reads labels and pixels of all files in the order of their names', () => {
    const { train, test } = loadCifar10(dir);
    expect([train.size, test.size]).to.deep.equal([35, 12]);
    expect([...train.labels]).to.deep.equal(Array.from({ length: 35 }, (_, i) => i % 10));
    for (const [example, p] of [
      [0, 0],
      [19, 3071],
      [20, 0],
      [34, 1500],
    ] as const) {
      expect(train.images[example * 3072 + p]).to.equal(fakePixel(example, p));
    }
    expect(test.images[11 * 3072 + 1024]).to.equal(fakePixel(111, 1024));
  });

  it('takes the class names from batches.meta.txt, else the standard ones', () => {
    expect(loadCifar10(dir).classes.slice(0, 3)).to.deep.equal(['airplane', 'automobile', 'bird']);
    writeFileSync(join(dir, 'batches.meta.txt'), 'a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n');
    expect(loadCifar10(dir).classes.join('')).to.equal('abcdefghij');
    writeFileSync(join(dir, 'batches.meta.txt'), 'a\nb\n');
    const path = join(dir, 'batches.meta.txt');
    expectRefusal(`${path}: 2 class names, but CIFAR-10 has 10: number 0 is "a", not "airplane"`);
    const standard = 'airplane automobile bird cat deer dog frog horse ship truck'.split(' ');
    writeFileSync(path, standard.filter((name) => name !== 'deer').join('\n'));
    expectRefusal(`${path}: 9 class names, but CIFAR-10 has 10: number 4 is "dog", not "deer"`);
    writeFileSync(path, [...standard, 'van'].join('\n'));
    expectRefusal(`${path}: 11 class names, but CIFAR-10 has 10: after the last is "van"`);
  });

  it('refuses a folder without training or without test file, and what is no folder', () => {
    rmSync(join(dir, 'test_batch.bin'));
    expectRefusal(`${dir}: contains no test_batch.bin`);
    rmSync(join(dir, 'data_batch_1.bin'));
    rmSync(join(dir, 'data_batch_2.bin'));
    expectRefusal(`${dir}: contains no data_batch_*.bin`);
    const file = join(dir, 'file');
    writeFileSync(file, '');
    expect(() => loadCifar10(file)).to.throw(UserError, `${file}: not a folder`);
  });

  it('refuses an incomplete and an empty file', () => {
    const file = join(dir, 'data_batch_2.bin');
    writeFileSync(file, fakeRecords(0, 3).subarray(0, 3 * recordBytes - 1));
    expectRefusal(`${file}: 9218 bytes is not a multiple of 3073`);
    writeFileSync(file, '');
    expectRefusal(`${file}: empty file`);
  });

  it('refuses a label above 9', () => {
    const bytes = fakeRecords(0, 4);
    bytes[2 * recordBytes] = 10;
    const file = join(dir, 'test_batch.bin');
    writeFileSync(file, bytes);
    expectRefusal(`${file}: record 2 has the label 10, accepted are 0 to 9`);
  });
});

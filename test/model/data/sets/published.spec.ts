/**
 * Tests model/data/sets/. Data sets as their authors' tools write them, read with the numbers that torchvision and pyarrow
 * give.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Split } from '../../../../model/data/dataset';
import { type DatasetSpec, loadDataset } from '../../../../model/data/index';

const root = join(__dirname, '..', '..', '..', 'fixtures', 'data');
const scratch = mkdtempSync(join(tmpdir(), 'published-'));
after(() => rmSync(scratch, { recursive: true }));

interface Part {
  readonly labels: number[];
  readonly sha256: string;
}

const expected = JSON.parse(readFileSync(join(root, 'datasets.json'), 'utf8')) as Record<
  string,
  { train: Part; test: Part; classes: string[] }
>;
const packed = { test: 0.2, seed: 0, on_bad_image: 'refuse', cache: scratch, cache_gigabytes: 1 } as const;
const specs: Readonly<Record<string, DatasetSpec>> = {
  'cifar-10-batches-py': { name: 'cifar10', dir: root },
  'cifar-100-python': { name: 'cifar100', labels: 'fine', dir: root },
  kmnist: { name: 'kmnist', pad: 0, dir: root },
  emnist: { name: 'emnist', split: 'letters', pad: 0, dir: root },
  qmnist: { name: 'qmnist', pad: 0, dir: root },
  svhn: { name: 'svhn', train: 'train', dir: join(root, 'svhn') },
  'medmnist.npz': { name: 'npz', file: join(root, 'medmnist.npz'), test: 0.2, seed: 0, dir: root },
  parquet: { name: 'parquet', ...packed, dir: join(root, 'parquet') },
  parquet_grey: { name: 'parquet', ...packed, dir: join(root, 'parquet_grey') },
};

describe('data sets as they are published', () => {
  it('are all read', () => {
    expect(Object.keys(specs).sort()).to.deep.equal(Object.keys(expected).sort());
  });

  for (const [name, spec] of Object.entries(specs)) {
    it(`${name} has the images, labels and classes of its own loader`, async () => {
      const { train, test, classes } = await loadDataset(spec);
      const found = (split: Split): Part => {
        if (!('images' in split)) throw new Error('the images are in files');
        return { labels: [...split.labels], sha256: createHash('sha256').update(split.images).digest('hex') };
      };
      expect(found(train)).to.deep.equal(expected[name]!.train);
      expect(found(test)).to.deep.equal(expected[name]!.test);
      expect(classes).to.deep.equal(expected[name]!.classes);
    });
  }
});

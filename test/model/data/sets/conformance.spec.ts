/**
 * Tests all data sets of model/data/sets/. What every dataset and every pass over it must keep to; each layout of each kind is
 * tested by being listed.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { augmentationSteps } from '../../../../model/data/augmentation/index';
import { type Dataset, pixelsOf, type Split } from '../../../../model/data/dataset';
import { type DatasetSpec, datasetNames, datasets, loadDataset } from '../../../../model/data/index';
import { type BatchOptions, loadBatches, partition } from '../../../../model/data/loader';
import { allOf } from '../../../../model/evaluation/evaluator';
import { parseParams } from '../../../../model/experiment/params';
import { writeFakeCifar10 } from '../fakeCifar10';
import {
  writeFakeCifar100,
  writeFakeCifar101,
  writeFakeCifarPython,
  writeFakeEmnist,
  writeFakeFolder,
  writeFakeMnist,
  writeFakeQmnist,
  writeFakeStl10,
  writeFakeSvhn,
  writeFakeList,
  writeFakeTinyImageNet,
  writeFakeWebDataset,
  npzArrays,
  zip,
} from '../fakes';

const folder = mkdtempSync(join(tmpdir(), 'datasets-'));
const at = (name: string) => join(folder, name);
const heldOut = { dir: folder, test: 0.2, seed: 0 };
const packed = { test: 0.2, seed: 0, on_bad_image: 'refuse', cache: at('cache'), cache_gigabytes: 1 } as const;
const ofFolder = { ...packed, size: 16 };
const fixtures = join(__dirname, '..', '..', '..', 'fixtures', 'data');
const specs: Readonly<Record<string, DatasetSpec>> = {
  cifar10: { name: 'cifar10', dir: at('cifar10') },
  cifar100: { name: 'cifar100', labels: 'fine', dir: at('cifar100') },
  'cifar10, python version': { name: 'cifar10', dir: at('root') },
  'cifar100, python version': { name: 'cifar100', labels: 'coarse', dir: at('root/cifar-100-python') },
  'cifar10.1': { name: 'cifar10.1', dir: at('cifar10'), test_dir: at('cifar10.1') },
  'cifar10.1 of version 4': { name: 'cifar10.1', version: 'v4', dir: at('cifar10'), test_dir: at('cifar10.1') },
  mnist: { name: 'mnist', pad: 0, dir: at('mnist') },
  fashion_mnist: { name: 'fashion_mnist', pad: 2, dir: at('mnist') },
  'mnist, as torchvision has it': { name: 'mnist', pad: 0, dir: at('root') },
  kmnist: { name: 'kmnist', pad: 0, dir: at('root') },
  qmnist: { name: 'qmnist', pad: 0, dir: at('root/QMNIST/raw') },
  'emnist balanced': { name: 'emnist', split: 'balanced', pad: 0, dir: at('root') },
  'emnist letters': { name: 'emnist', split: 'letters', pad: 2, dir: at('root') },
  stl10: { name: 'stl10', train: 'labeled', dir: at('stl10') },
  svhn: { name: 'svhn', train: 'train', dir: at('svhn') },
  'svhn with extra images': { name: 'svhn', train: 'train+extra', dir: at('svhn') },
  'npz of MedMNIST': { name: 'npz', file: at('pathmnist.npz'), ...heldOut },
  'npz that is not parted': {
    name: 'npz',
    file: at('digits.npz'),
    arrays: { train: ['all_images', 'all_labels'] },
    ...heldOut,
  },
  parquet: { name: 'parquet', ...packed, dir: join(fixtures, 'parquet') },
  'parquet of larger images': { name: 'parquet', ...packed, dir: join(fixtures, 'parquet'), size: 8 },
  webdataset: { name: 'webdataset', ...packed, dir: at('webdataset') },
  'webdataset of larger images': { name: 'webdataset', ...packed, dir: at('webdataset'), size: 8 },
  shapes: { name: 'shapes', train: 40, test: 20, seed: 1, dir: folder },
  folder: { name: 'folder', dir: at('folder'), ...ofFolder },
  'folder of Tiny ImageNet': { name: 'folder', dir: at('tiny'), ...ofFolder },
  'folder with a list of classes': { name: 'folder', dir: at('list'), ...ofFolder, labels: 'labels.csv' },
};
/** All pixels of a split. */
const pixels = (split: Split, { shape }: Dataset) => pixelsOf(split, allOf(split), shape);

before(async () => {
  writeFakeCifar10(at('cifar10'));
  writeFakeCifar100(at('cifar100'));
  for (const version of ['v4', 'v6']) writeFakeCifar101(at('cifar10.1'), version);
  writeFakeMnist(at('mnist'));
  writeFakeCifarPython(at('root'));
  for (const name of ['MNIST', 'KMNIST']) writeFakeMnist(at(`root/${name}/raw`));
  writeFakeQmnist(at('root/QMNIST/raw'));
  writeFakeEmnist(at('root/EMNIST/raw'), 'balanced', 47);
  writeFakeEmnist(at('root/EMNIST/raw'), 'letters', 26, 1);
  writeFakeStl10(at('stl10'));
  writeFakeSvhn(at('svhn'));
  writeFileSync(at('pathmnist.npz'), zip(npzArrays({ train: 30, val: 5, test: 12 }, 3), true));
  writeFileSync(at('digits.npz'), zip(npzArrays({ all: 40 }, 1), false));
  await writeFakeFolder(at('folder'));
  await writeFakeTinyImageNet(at('tiny'));
  await writeFakeList(at('list'));
  await writeFakeWebDataset(at('webdataset'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

it('each kind of dataset has a layout that is tested', () => {
  expect(new Set(Object.values(specs).map(({ name }) => name))).to.deep.equal(new Set(datasetNames));
});

it('docs/data.md has each kind of dataset and where its files are by default', () => {
  const text = readFileSync(join(__dirname, '..', '..', '..', '..', 'docs', 'data.md'), 'utf8');
  for (const name of datasetNames) {
    expect(text).to.match(new RegExp(`\n\\| (\`[a-z0-9_]+\`, )*\`${name.replace('.', '\\.')}\`[,| ]`));
    const { directory, required = [] } = datasets[name];
    const dataset = { name, ...Object.fromEntries(required.map((key) => [key, 'a'])) };
    const params = { model_version: 'cnn', learning_rate: 0.1, num_epochs: 1, dataset };
    if (directory !== undefined) expect(text).to.include(`\`${parseParams(params, 'x').data_dir}\``);
  }
});

for (const [title, spec] of Object.entries(specs)) {
  describe(`dataset ${title}`, () => {
    let dataset: Dataset;
    before(async () => {
      dataset = await loadDataset(spec);
    });

    it('has images and labels of its sizes', async () => {
      expect(dataset.name).to.equal(spec.name);
      const imageSize = dataset.shape.reduce((product, length) => product * length, 1);
      for (const split of [dataset.train, dataset.test]) {
        expect(split.size).to.be.above(0);
        expect(split.labels).to.have.length(split.size);
        const images = await pixels(split, dataset);
        expect(images).to.have.length(split.size * imageSize);
        expect(images.some((value) => value > 0)).to.equal(true);
        for (const label of split.labels) expect(label).to.be.within(0, dataset.classes.length - 1);
      }
    });

    it('states a mean and a positive deviation for each channel, of values in [0, 1]', () => {
      const { mean, std } = dataset.normalize;
      expect([mean.length, std.length]).to.deep.equal([dataset.shape[0], dataset.shape[0]]);
      for (const value of mean) expect(value).to.be.within(0, 1);
      for (const value of std) expect(value).to.be.within(0.01, 0.5);
    });

    it('is the same when loaded again', async () => {
      const again = await loadDataset(spec);
      expect(again.classes).to.deep.equal(dataset.classes);
      expect(Buffer.compare(await pixels(again.train, again), await pixels(dataset.train, dataset))).to.equal(0);
      expect(Buffer.compare(await pixels(again.test, again), await pixels(dataset.test, dataset))).to.equal(0);
      expect([...again.train.labels]).to.deep.equal([...dataset.train.labels]);
    });

    it('is parted without overlap, and a smaller subset is part of a larger one', () => {
      const { size } = dataset.train;
      const parts = [0.1, 0.4, 1].map((subset) => partition(size, { validation: 0.2, subset, seed: 3 }));
      for (const { train, validation } of parts) {
        expect(new Set([...train, ...validation]).size).to.equal(train.length + validation.length);
        expect([...validation]).to.deep.equal([...parts[0]!.validation]);
        for (const example of [...train, ...validation]) expect(example).to.be.below(size);
      }
      for (const [smaller, larger] of [parts.slice(0, 2), parts.slice(1)]) {
        expect([...larger!.train]).to.include.members([...smaller!.train]);
      }
    });

    it('shows an example of an epoch as the same pixels whatever the batches, their order and the other examples', async () => {
      const imageSize = dataset.shape[0] * dataset.shape[1] * dataset.shape[2];
      const all = Uint32Array.from({ length: dataset.train.size }, (_, i) => i);
      const options: BatchOptions = {
        shape: dataset.shape,
        batchSize: 8,
        seed: 5,
        epoch: 2,
        shuffle: true,
        augment: augmentationSteps('yes', dataset.augmentation),
      };
      /** Pixels and label by example. */
      const seen = async (indices: Uint32Array, changes: Partial<BatchOptions>): Promise<Map<number, string>> => {
        const images = new Map<number, string>();
        for await (const batch of loadBatches(dataset.train, indices, { ...options, ...changes })) {
          batch.indices.forEach((example, i) => {
            expect(batch.labels[i]).to.equal(dataset.train.labels[example]);
            const own = batch.images.subarray(i * imageSize, (i + 1) * imageSize);
            images.set(example, Buffer.from(own).toString('base64'));
          });
        }
        return images;
      };
      const first = await seen(all, {});
      expect(first.size).to.equal(dataset.train.size);
      expect(await seen(all, { batchSize: 5, ahead: 0 })).to.deep.equal(first);
      expect(await seen(all, { shuffle: false })).to.deep.equal(first);
      for (const [example, image] of await seen(all.slice(11, 17), {})) expect(image).to.equal(first.get(example));
      expect([...(await seen(all, { start: 1 })).values()]).to.deep.equal([...first.values()].slice(8));

      const different = async (changes: Partial<BatchOptions>): Promise<number> =>
        [...(await seen(all, changes))].filter(([example, image]) => image !== first.get(example)).length;
      expect(await different({ epoch: 3 })).to.be.above(dataset.train.size / 2);
      expect(await different({ seed: 6 })).to.be.above(dataset.train.size / 2);
      expect(await different({ augment: false })).to.be.above(dataset.train.size / 2);
      const stored = await pixels(dataset.train, dataset);
      for (const [example, image] of await seen(all, { augment: false })) {
        const own = stored.subarray(example * imageSize, (example + 1) * imageSize);
        expect(image).to.equal(Buffer.from(own).toString('base64'));
      }
    });
  });
}

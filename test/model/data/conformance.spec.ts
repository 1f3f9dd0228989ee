/** What every dataset and every pass over it must keep to; each kind of dataset is tested by being listed. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { type DatasetSpec, datasetNames, loadDataset } from '../../../model/data';
import type { Dataset } from '../../../model/data/dataset';
import { batches, type BatchOptions, partition } from '../../../model/data/loader';
import { writeFakeCifar10 } from './fakeCifar10';

const folder = mkdtempSync(join(tmpdir(), 'datasets-'));
const specs: Record<(typeof datasetNames)[number], DatasetSpec> = {
  cifar10: { name: 'cifar10', dir: folder },
  shapes: { name: 'shapes', train: 40, test: 20, seed: 1, dir: folder },
};

for (const name of datasetNames) {
  describe(`dataset ${name}`, () => {
    let dataset: Dataset;
    before(async () => {
      writeFakeCifar10(folder);
      dataset = await loadDataset(specs[name]);
    });
    after(() => rmSync(folder, { recursive: true, force: true }));

    it('has images and labels of its sizes', () => {
      expect(dataset.name).to.equal(name);
      const imageSize = dataset.shape.reduce((product, length) => product * length, 1);
      for (const split of [dataset.train, dataset.test]) {
        expect(split.size).to.be.above(0);
        expect(split.labels).to.have.length(split.size);
        expect(split.images).to.have.length(split.size * imageSize);
        expect(split.images.some((value) => value > 0)).to.equal(true);
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
      const again = await loadDataset(specs[name]);
      expect(again.classes).to.deep.equal(dataset.classes);
      expect(Buffer.compare(again.train.images, dataset.train.images)).to.equal(0);
      expect(Buffer.compare(again.test.images, dataset.test.images)).to.equal(0);
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

    it('shows an example of an epoch as the same pixels whatever the batches, their order and the other examples', () => {
      const imageSize = dataset.shape[0] * dataset.shape[1] * dataset.shape[2];
      const all = Uint32Array.from({ length: dataset.train.size }, (_, i) => i);
      const options: BatchOptions = {
        shape: dataset.shape,
        batchSize: 8,
        seed: 5,
        epoch: 2,
        shuffle: true,
        augment: true,
      };
      /** Pixels and label by example. */
      const seen = (indices: Uint32Array, changes: Partial<BatchOptions>): Map<number, string> => {
        const images = new Map<number, string>();
        for (const batch of [...batches(dataset.train, indices, { ...options, ...changes })]) {
          batch.indices.forEach((example, i) => {
            expect(batch.labels[i]).to.equal(dataset.train.labels[example]);
            const pixels = batch.images.subarray(i * imageSize, (i + 1) * imageSize);
            images.set(example, Buffer.from(pixels).toString('base64'));
          });
        }
        return images;
      };
      const first = seen(all, {});
      expect(first.size).to.equal(dataset.train.size);
      expect(seen(all, { batchSize: 5 })).to.deep.equal(first);
      expect(seen(all, { shuffle: false })).to.deep.equal(first);
      for (const [example, pixels] of seen(all.slice(11, 17), {})) expect(pixels).to.equal(first.get(example));

      const different = (changes: Partial<BatchOptions>): number =>
        [...seen(all, changes)].filter(([example, pixels]) => pixels !== first.get(example)).length;
      expect(different({ epoch: 3 })).to.be.above(dataset.train.size / 2);
      expect(different({ seed: 6 })).to.be.above(dataset.train.size / 2);
      expect(different({ augment: false })).to.be.above(dataset.train.size / 2);
      for (const [example, pixels] of seen(all, { augment: false })) {
        const stored = dataset.train.images.subarray(example * imageSize, (example + 1) * imageSize);
        expect(pixels).to.equal(Buffer.from(stored).toString('base64'));
      }
    });
  });
}

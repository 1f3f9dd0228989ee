import { expect } from 'chai';
import { viewSteps } from '../../../model/data/augmentation';
import type { FileSplit, StoredSplit } from '../../../model/data/dataset';
import {
  batchSizesOf,
  type Batch,
  batches,
  type BatchOptions,
  loadBatches,
  lookingAhead,
  partition,
} from '../../../model/data/loader';
import { UserError } from '../../../utils/errors';

describe('partition', () => {
  it('holds out round(validation · size) and trains on floor(subset · size)', () => {
    const { train, validation } = partition(50000, { validation: 0.1, subset: 0.05, seed: 230 });
    expect([train.length, validation.length]).to.deep.equal([2500, 5000]);
    expect(partition(7, { validation: 0.5, subset: 0.3, seed: 0 })).to.satisfy(
      (parts: { train: Uint32Array; validation: Uint32Array }) =>
        parts.train.length === 2 && parts.validation.length === 4,
    );
  });

  it('trains on what is left where the subset is larger', () => {
    const { train, validation } = partition(100, { validation: 0.2, subset: 1, seed: 1 });
    expect([...train, ...validation].sort((x, y) => x - y)).to.deep.equal(Array.from({ length: 100 }, (_, i) => i));
    expect(train).to.have.length(80);
  });

  it('allows no validation part', () => {
    const { train, validation } = partition(10, { validation: 0, subset: 1, seed: 1 });
    expect([train.length, validation.length]).to.deep.equal([10, 0]);
  });

  it('depends on the seed and is not the order of the files', () => {
    const order = (seed: number): string => partition(50, { validation: 0, subset: 1, seed }).train.join();
    expect(order(1)).to.equal(order(1));
    expect(order(1)).to.not.equal(order(2));
    expect(order(1)).to.not.equal(Array.from({ length: 50 }, (_, i) => i).join());
  });

  it('refuses to leave nothing to train on', () => {
    expect(() => partition(10, { validation: 0, subset: 0.05, seed: 1 })).to.throw(UserError, /^no training image.*$/);
    expect(() => partition(10, { validation: 1, subset: 1, seed: 1 })).to.throw(UserError, 'held out');
  });

  it('refuses a validation part that comes out empty', () => {
    expect(() => partition(10, { validation: 0.04, subset: 1, seed: 1 })).to.throw(
      UserError,
      '"validation": 0.04 of 10 images leaves',
    );
  });
});

describe('batchSizesOf', () => {
  it('has the size of the last batch if that is smaller, and never more than there are images', () => {
    expect(batchSizesOf(100, 32)).to.deep.equal([32, 4]);
    expect(batchSizesOf(96, 32)).to.deep.equal([32]);
    expect(batchSizesOf(10, 32)).to.deep.equal([10]);
  });
});

describe('batches', () => {
  const shape = [1, 2, 3] as const;
  const split: StoredSplit = {
    images: Uint8Array.from({ length: 10 * 6 }, (_, i) => i),
    labels: Uint8Array.from({ length: 10 }, (_, i) => 9 - i),
    size: 10,
  };
  const indices = Uint32Array.of(7, 0, 3, 9, 4, 1, 2);
  const options: BatchOptions = { shape, batchSize: 3, seed: 1, epoch: 0, shuffle: false, augment: false };
  const all = (changes: Partial<BatchOptions> = {}): Batch[] => [
    ...batches(split, indices, { ...options, ...changes }),
  ];
  const order = (changes: Partial<BatchOptions>): number[] => all(changes).flatMap((batch) => [...batch.indices]);

  it('goes through the examples in their order and keeps the last, smaller batch', () => {
    const passed = all();
    expect(passed.map((batch) => batch.size)).to.deep.equal([3, 3, 1]);
    expect(order({})).to.deep.equal([...indices]);
    expect([...passed[1]!.labels]).to.deep.equal([0, 5, 8]);
    expect([...passed[1]!.images]).to.deep.equal([9, 4, 1].flatMap((i) => [0, 1, 2, 3, 4, 5].map((p) => 6 * i + p)));
    expect(passed.map((batch) => batch.images.length)).to.deep.equal([18, 18, 6]);
  });

  it('shuffles by (seed, epoch), each example once', () => {
    const shuffled = order({ shuffle: true });
    expect(shuffled).to.not.deep.equal([...indices]);
    expect([...shuffled].sort()).to.deep.equal([...indices].sort());
    expect(order({ shuffle: true })).to.deep.equal(shuffled);
    expect(order({ shuffle: true, batchSize: 2 })).to.deep.equal(shuffled);
    expect(order({ shuffle: true, epoch: 1 })).to.not.deep.equal(shuffled);
    expect(order({ shuffle: true, seed: 2 })).to.not.deep.equal(shuffled);
  });

  it('leaves out the first batches where it starts later, and changes nothing else', () => {
    for (const start of [0, 1, 2, 3]) {
      expect(all({ shuffle: true, augment: true, start })).to.deep.equal(
        all({ shuffle: true, augment: true }).slice(start),
      );
    }
  });

  it('gives nothing for no examples', () => {
    expect([...batches(split, new Uint32Array(0), { ...options, shuffle: true })]).to.deep.equal([]);
  });
});

describe('loadBatches', () => {
  const shape = [1, 6, 5] as const;
  const stored: StoredSplit = {
    images: Uint8Array.from({ length: 40 * 30 }, (_, i) => (i * 37) % 256),
    labels: Uint8Array.from({ length: 40 }, (_, i) => i % 7),
    size: 40,
  };
  const indices = Uint32Array.from({ length: 35 }, (_, i) => (i * 3) % 40);
  const options: BatchOptions = { shape, batchSize: 8, seed: 1, epoch: 2, shuffle: true, augment: true };
  /** The same images as files would be read, a moment later; counts those that are on their way. */
  function asFiles(): FileSplit & { reading: number; most: number; total: number } {
    return {
      labels: stored.labels,
      size: stored.size,
      reading: 0,
      most: 0,
      total: 0,
      sizeOf: () => [6, 5],
      async read(example) {
        this.total++;
        this.most = Math.max(this.most, ++this.reading);
        await new Promise((resolve) => setTimeout(resolve, example % 3));
        this.reading--;
        return stored.images.slice(example * 30, (example + 1) * 30);
      },
    };
  }
  async function collected(generator: AsyncGenerator<Batch>): Promise<Batch[]> {
    const all: Batch[] = [];
    for await (const batch of generator) all.push(batch);
    return all;
  }

  for (const [name, changes] of Object.entries<Partial<BatchOptions>>({
    'crops and flips': {},
    'mixed images': { augment: viewSteps('crop+mixup+cutout') },
    'further views': { views: ['crop+flip', 'cutout', 'classmate+crop+flip'] },
    'a later start, one batch at a time': { start: 2, ahead: 0 },
    'looks of another epoch': { looksOf: 1 },
  })) {
    it(`gives the batches of images in memory: ${name}`, async () => {
      const expected = [...batches(stored, indices, { ...options, ...changes })];
      expect(expected.length).to.equal(changes.start ? 3 : 5);
      expect(await collected(loadBatches(stored, indices, { ...options, ...changes }))).to.deep.equal(expected);
      expect(await collected(loadBatches(asFiles(), indices, { ...options, ...changes }))).to.deep.equal(expected);
    });
  }

  it('shows examples in the order of one epoch as they looked in another', () => {
    const looks = (changes: Partial<BatchOptions>) =>
      [...batches(stored, indices, { ...options, batchSize: 1, ...changes })].map(
        ({ indices: [example], images, views }) => [example!, images.join(), views?.['crop+flip']?.join()] as const,
      );
    const views = ['crop+flip'];
    const [first, second] = [looks({ epoch: 1, views }), looks({ epoch: 2, views })];
    const again = looks({ epoch: 2, looksOf: 1, views });
    const byExample = (a: readonly [number, ...unknown[]], b: readonly [number, ...unknown[]]) => a[0] - b[0];
    expect(again.map(([example]) => example)).to.deep.equal(second.map(([example]) => example));
    expect(again.sort(byExample)).to.deep.equal(first.sort(byExample));
    expect(again).to.not.deep.equal(second.sort(byExample));
  });

  it('looks ahead in a pass without losing a batch', async () => {
    const expected = [...batches(stored, indices, options)];
    const seen: Batch[] = [];
    for await (const { after, ...batch } of lookingAhead(loadBatches(asFiles(), indices, options))) {
      seen.push(batch);
      if (seen.length === 2) expect(await after!(1)).to.deep.equal(expected[3]);
      if (seen.length === 4) expect([await after!(0), await after!(1)]).to.deep.equal([expected[4], undefined]);
    }
    expect(seen).to.deep.equal(expected);
    const left = asFiles();
    for await (const batch of lookingAhead(loadBatches(left, indices, { ...options, ahead: 1 }))) {
      expect(batch.size).to.equal(8);
      break;
    }
    expect([left.total, left.reading]).to.deep.equal([16, 0]);
  });

  it('reads no more than `ahead` batches beyond the one that is worked on', async () => {
    for (const ahead of [0, 1, 2]) {
      const split = asFiles();
      let seen = 0;
      for await (const batch of loadBatches(split, indices, { ...options, ahead })) {
        seen += batch.size;
        expect(split.total).to.be.at.most(seen + 8 * ahead);
        await new Promise((resolve) => setTimeout(resolve, 4));
        if (seen === 8) expect(split.total).to.equal(8 + 8 * ahead);
      }
      expect(split.most).to.be.at.most(8 * (ahead + 1));
      expect(split.total).to.equal(35);
    }
  });

  it('does not read a batch ahead whose images are all in memory', async () => {
    const order = [...batches(stored, indices, options)].map((batch) => batch.indices);
    const split = { ...asFiles(), isInMemory: (example: number) => !order[2]!.includes(example) };
    const totals: number[] = [];
    for await (const { size } of loadBatches(split, indices, { ...options, ahead: 4 })) {
      totals.push(split.total - size);
    }
    // The third batch is read with the second one, and those after it wait for their turn.
    expect(totals).to.deep.equal([0, 16, 16, 24, 32]);
  });

  it('fails at the batch whose image cannot be read, and stops reading where it is left', async () => {
    const split = asFiles();
    const read = split.read.bind(split);
    const order = [...batches(stored, indices, options)];
    const bad = order[2]!.indices[3]!;
    split.read = (example) => (example === bad ? Promise.reject(new UserError('bad.jpg: damaged')) : read(example));
    let seen = 0;
    const error: unknown = await (async () => {
      for await (const batch of loadBatches(split, indices, options)) seen += batch.size;
    })().catch((thrown: unknown) => thrown);
    expect((error as Error).message).to.equal('bad.jpg: damaged');
    expect(seen).to.equal(16);

    const left = asFiles();
    for await (const batch of loadBatches(left, indices, { ...options, ahead: 1 })) {
      expect(batch.size).to.equal(8);
      break;
    }
    expect([left.total, left.reading]).to.deep.equal([16, 0]);
  });
});

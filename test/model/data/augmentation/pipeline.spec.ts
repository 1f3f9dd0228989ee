import { expect } from 'chai';
import {
  augmentations,
  augmentationSteps,
  mixesLabels,
  Pipeline,
  viewSteps,
  type Step,
} from '../../../../model/data/augmentation';
import type { Draw } from '../../../../model/data/augmentation/augmentation';
import { policy } from '../../../../model/data/augmentation/autoaugment';
import { beta } from '../../../../model/data/augmentation/beta';
import { cutoutBox } from '../../../../model/data/augmentation/cutout';
import { operations, type Operation } from '../../../../model/data/augmentation/operations';
import type { ImageShape, StoredSplit } from '../../../../model/data/dataset';
import { batches } from '../../../../model/data/loader';
import { UserError } from '../../../../utils/errors';
import { Random } from '../../../../utils/random';
import { mistakes } from '../../../../utils/schema';

const shape: ImageShape = [3, 16, 16];
const size = 3 * 16 * 16;
const values = new Float32Array(60 * size);
new Random(1, 'images').fillUniform(values, 0, 256);
const split: StoredSplit = {
  images: Uint8Array.from(values),
  labels: Uint8Array.from({ length: 60 }, (_, i) => (i * 7) % 10),
  size: 60,
};
const half = Uint32Array.from({ length: 30 }, (_, i) => 2 * i);
const original = (example: number) => split.images.subarray(example * size, (example + 1) * size);
const step = (name: string, options: object = {}): Step => {
  const filled = { ...options };
  expect(mistakes({ type: 'object', properties: augmentations[name]!.options }, filled)).to.deep.equal([]);
  return { name, augmentation: augmentations[name]!, options: filled };
};
const through = (steps: readonly Step[], seed = 5) =>
  new Pipeline(original, steps, { shape, seed, examples: half, prefix: '' });
/** Numbers of a stream that has nothing to do with the pipeline's. */
const drawAt = (random: Random, a: number): Draw => ({
  uniform: (index) => random.uniform(index, a),
  integer: (bound, index) => random.integer(bound, index, a),
});

describe('every augmentation', () => {
  for (const name of Object.keys(augmentations)) {
    it(`${name} is a function of (seed, epoch, example) and leaves the data set as it is`, () => {
      const before = split.images.slice();
      const all = (epoch: number, seed: number) =>
        [...half].map((example) => through([step(name)], seed).see(epoch, example));
      const pipeline = through([step(name)]);
      const backwards = [...half].reverse().map((example) => pipeline.see(3, example));
      expect(backwards.reverse()).to.deep.equal(all(3, 5));
      expect(all(4, 5)).to.not.deep.equal(all(3, 5));
      expect(all(3, 6)).to.not.deep.equal(all(3, 5));
      expect(split.images).to.deep.equal(before);
      for (const { image } of all(3, 5)) expect(image).to.have.length(size);
    });

    it(`${name} says what it is, and what its options are`, () => {
      const { title, options } = augmentations[name]!;
      expect(title).to.match(/\S{3}/);
      for (const option of Object.values(options)) expect(option).to.include.keys('title', 'default', 'minimum');
    });
  }
});

describe('autoaugment', () => {
  it('has the 25 pairs of operations of the published table, as name, probability / level', () => {
    const table = [
      'invert .1/7, contrast .2/6',
      'rotate .7/2, translateX .3/9',
      'sharpness .8/1, sharpness .9/3',
      'shearY .5/8, translateY .7/9',
      'autocontrast .5/8, equalize .9/2',
      'shearY .2/7, posterize .3/7',
      'color .4/3, brightness .6/7',
      'sharpness .3/9, brightness .7/9',
      'equalize .6/5, equalize .5/1',
      'contrast .6/7, sharpness .6/5',
      'color .7/7, translateX .5/8',
      'equalize .3/7, autocontrast .4/8',
      'translateY .4/3, sharpness .2/6',
      'brightness .9/6, color .2/8',
      'solarize .5/2, invert 0/3',
      'equalize .2/0, autocontrast .6/0',
      'equalize .2/8, equalize .8/4',
      'color .9/9, equalize .6/6',
      'autocontrast .8/4, solarize .2/8',
      'brightness .1/3, color .7/0',
      'solarize .4/5, autocontrast .9/3',
      'translateY .9/9, translateY .7/9',
      'autocontrast .9/2, solarize .8/3',
      'equalize .8/8, invert .1/3',
      'translateY .7/9, autocontrast .9/1',
    ];
    const written = (probability: number) => String(probability).replace('0.', '.');
    const ours = policy.map((pair) => pair.map(([name, p, level]) => `${name} ${written(p)}/${level}`).join(', '));
    expect(ours).to.deep.equal(table);
  });

  it('does each operation of the pair drawn with its probability', () => {
    const random = new Random(9, 'test');
    const image = original(3);
    for (let a = 0; a < 200; a++) {
      const draw = drawAt(random, a);
      const pair = policy[Math.floor(25 * draw.uniform(0))]!;
      let expected: Uint8Array = image;
      pair.forEach(([name, probability, level], i) => {
        const sign = name === 'rotate' || draw.uniform(2 + 2 * i) < 0.5 ? 1 : -1;
        const isDone = draw.uniform(1 + 2 * i) < probability;
        if (isDone) expected = operations[name](expected, shape, level / 9, sign);
      });
      expect(augmentations.autoaugment!.apply!(image, shape, draw, {})).to.deep.equal(expected);
    }
  });
});

describe('randaugment', () => {
  it('does n operations of 14 at one magnitude', () => {
    const random = new Random(9, 'test');
    const image = original(3);
    const names = Object.keys(operations).filter((name) => name !== 'invert');
    expect(names).to.have.length(13);
    const used = new Set<number>();
    for (let a = 0; a < 200; a++) {
      const draw = drawAt(random, a);
      let expected: Uint8Array = image;
      for (let i = 0; i < 3; i++) {
        const index = Math.floor(14 * draw.uniform(2 * i));
        used.add(index);
        const operation = operations[names[index] as keyof typeof operations] as Operation | undefined;
        expected = operation?.(expected, shape, 0.7, draw.uniform(2 * i + 1) < 0.5 ? 1 : -1) ?? expected;
      }
      expect(augmentations.randaugment!.apply!(image, shape, draw, { n: 3, m: 7 })).to.deep.equal(expected);
    }
    expect(used.size).to.equal(14);
  });
});

describe('cutout', () => {
  it('covers a square of the given side, or what is inside of it', () => {
    expect(cutoutBox(16, 16, 16, [32, 32])).to.deep.equal({ top: 8, bottom: 24, left: 8, right: 24 });
    expect(cutoutBox(0, 31, 16, [32, 32])).to.deep.equal({ top: 0, bottom: 8, left: 23, right: 32 });
    const pipeline = through([step('cutout', { length: 4 })]);
    const rows = new Set<number>();
    for (let example = 0; example < 60; example++) {
      const { image } = pipeline.see(1, example);
      const changed = [...image.keys()].filter((i) => image[i] !== original(example)[i]);
      for (const place of changed) expect(image[place]).to.equal(128);
      const places = changed.map((i) => ({ y: Math.floor(i / 16) % 16, x: i % 16 }));
      const [ys, xs] = [places.map(({ y }) => y), places.map(({ x }) => x)];
      const span = (all: number[]) => Math.max(...all) - Math.min(...all) + 1;
      expect(Math.max(span(ys), span(xs))).to.be.at.most(4);
      // Where the square is whole it has 3 · 4 · 4 values, of which few were gray already.
      expect(changed.length).to.be.at.most(48);
      rows.add(Math.min(...ys));
    }
    expect(rows.size).to.be.above(10);
  });
});

describe('beta', () => {
  it('has the moments of Beta(α, α)', () => {
    for (const alpha of [0.2, 1, 2]) {
      const random = new Random(4, 'beta');
      const drawn = Array.from({ length: 20000 }, (_, a) => beta(drawAt(random, a), alpha, 4));
      const mean = drawn.reduce((sum, value) => sum + value, 0) / drawn.length;
      const variance = drawn.reduce((sum, value) => sum + (value - mean) ** 2, 0) / drawn.length;
      const expected = 1 / (4 * (2 * alpha + 1));
      expect(mean).to.be.closeTo(0.5, 4 * Math.sqrt(expected / 20000));
      expect(variance).to.be.closeTo(expected, 0.03 * expected);
    }
  });
});

describe('images that are mixed', () => {
  const mixedIn = (steps: readonly Step[]) => {
    const pipeline = through(steps);
    return [...half].map((example) => ({ example, ...pipeline.see(2, example) }));
  };

  it('by mixup are blended by the share, with examples of the same part of the split', () => {
    const all = mixedIn([step('mixup', { alpha: 1 })]);
    for (const { example, image, other, share } of all) {
      expect([...half]).to.include(other);
      const blended = original(example).map((v, i) => Math.round((1 - share!) * v + share! * original(other!)[i]!));
      expect(Math.max(...image.map((value, i) => Math.abs(value - blended[i]!)))).to.be.at.most(1);
    }
    expect(new Set(all.map(({ other }) => other)).size).to.be.above(10);
    expect(new Set(all.map(({ share }) => share)).size).to.equal(30);
  });

  it('by cutmix show a box of the other example, and share the label by its area', () => {
    let whole = 0;
    for (const { example, image, other, share } of mixedIn([step('cutmix', { probability: 1 })])) {
      const foreign = [...image.keys()].filter((i) => image[i] !== original(example)[i]);
      for (const i of foreign) expect(image[i]).to.equal(original(other!)[i]);
      const ys = foreign.map((i) => Math.floor(i / 16) % 16);
      const xs = foreign.map((i) => i % 16);
      const span = (all: number[]) => (all.length === 0 ? 0 : Math.max(...all) - Math.min(...all) + 1);
      if (other !== example) expect(share).to.equal((span(ys) * span(xs)) / 256);
      if (share! > 0) whole++;
    }
    expect(whole).to.be.above(20);
    const kept = mixedIn([step('cutmix', { probability: 0 })]);
    for (const { example, image, share } of kept) {
      expect(image).to.deep.equal(original(example));
      expect(share).to.equal(0);
    }
  });

  it('show the other example as it is seen itself in that epoch', () => {
    const plain = through([step('crop'), step('flip')]);
    for (const { example, image, other, share } of mixedIn([step('crop'), step('flip'), step('mixup')])) {
      const [own, its] = [plain.see(2, example).image, plain.see(2, other!).image];
      const blended = own.map((v, i) => Math.round((1 - share!) * v + share! * its[i]!));
      expect(Math.max(...image.map((value, i) => Math.abs(value - blended[i]!)))).to.be.at.most(1);
    }
  });
});

describe('steps and batches', () => {
  it('follow params.json', () => {
    const names = (steps: readonly Step[]) => steps.map(({ name }) => name);
    expect(names(augmentationSteps('yes'))).to.deep.equal(['crop', 'flip']);
    expect(augmentationSteps('no')).to.deep.equal([]);
    const listed = augmentationSteps([{ name: 'flip' }, { name: 'cutout', length: 8 }]);
    expect(listed.map(({ name, options }) => [name, options])).to.deep.equal([
      ['flip', {}],
      ['cutout', { length: 8 }],
    ]);
    expect(mixesLabels(listed)).to.equal(false);
    expect(mixesLabels(augmentationSteps([{ name: 'mixup', alpha: 1 }]))).to.equal(true);
    expect(viewSteps('flip+randaugment').map(({ name, options }) => [name, options])).to.deep.equal([
      ['flip', {}],
      ['randaugment', { n: 2, m: 5 }],
    ]);
    expect(() => viewSteps('crop+flop')).to.throw(
      UserError,
      /^view "crop\+flop": there is no augmentation "flop", accepted are (.*, )?flip, .*, joined by \+$/,
    );
  });

  const pass = { shape, batchSize: 7, seed: 5, epoch: 2, shuffle: true };

  it('have the labels and shares of what is mixed in', () => {
    const steps = augmentationSteps([{ name: 'crop' }, { name: 'mixup', alpha: 1 }]);
    const pipeline = through(steps);
    for (const { images, indices, labels, mixed, size: count } of batches(split, half, { ...pass, augment: steps })) {
      for (let i = 0; i < count; i++) {
        const { image, other, share } = pipeline.see(2, indices[i]!);
        expect(images.subarray(i * size, (i + 1) * size)).to.deep.equal(image);
        expect(labels[i]).to.equal(split.labels[indices[i]!]);
        expect(mixed!.labels[i]).to.equal(split.labels[other!]);
        expect(mixed!.share[i]).to.equal(Math.fround(share!));
      }
    }
    const [plain] = batches(split, half, { ...pass, augment: true });
    expect(plain).to.not.have.any.keys('mixed', 'views');
  });

  it('have views of the stored images that are drawn apart from the images', () => {
    const views = ['crop+flip', 'autoaugment'];
    const [batch] = batches(split, half, { ...pass, augment: true, views });
    expect(Object.keys(batch!.views!)).to.deep.equal(views);
    expect(batch!.views!['crop+flip']).to.not.deep.equal(batch!.images);
    const [without] = batches(split, half, { ...pass, augment: true });
    expect(batch!.images).to.deep.equal(without!.images);
    const apart = new Pipeline(original, viewSteps('autoaugment'), {
      shape,
      seed: 5,
      examples: half,
      prefix: 'view/autoaugment/',
    });
    const expected = [...batch!.indices].flatMap((example) => [...apart.see(2, example).image]);
    expect([...batch!.views!.autoaugment!]).to.deep.equal(expected);
  });
});

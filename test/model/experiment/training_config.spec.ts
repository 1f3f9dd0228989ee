/** What params.json adds to a training step: frozen parameters, averages, micro-batches, labels. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { flatten, globalAvgPool, relu } from '../../../engine/ops/index';
import { adam, AVERAGE_PREFIX, sgd, type Optimizer } from '../../../engine/optimizers/index';
import { readWeights } from '../../../formats/checkpoints';
import { bytesOf, type NamedArrays } from '../../../formats/ndarray';
import { writeSafetensors } from '../../../formats/safetensors';
import type { Batch } from '../../../model/data/loader';
import { makeShapes } from '../../../model/data/sets/shapes';
import { Evaluator } from '../../../model/evaluation/evaluator';
import { parseParams, type Params } from '../../../model/experiment/params';
import { trainingConfig } from '../../../model/experiment/training_config';
import type { Net } from '../../../model/nets/index';
import type { Model } from '../../../model/nets/model';
import { microBatch } from '../../../model/training/gradient_accumulation';
import { Trainer, type TrainerOptions } from '../../../model/training/trainer';
import { UserError } from '../../../utils/errors';
import { expectClose } from '../../helpers/engine';
import { draw } from '../../helpers/nets';
import { trainingOptions } from '../../helpers/training';

const CLASSES = 3;
const pixels = [1, 4, 4] as const;

const perceptron: Net = (layers, x, { classes }) => {
  const pooled = relu(layers.linear('fc1', flatten(x), 6));
  return { logits: layers.linear('fc2', pooled, classes), pooled, features: {} };
};

const normed: Net = (layers, x, { classes }) => {
  const first = relu(layers.batchNorm('bn1', layers.conv('conv1', x, 4, { kernel: 3, padding: 1 })));
  const second = relu(layers.batchNorm('bn2', layers.conv('conv2', first, 4, { kernel: 3, padding: 1 })));
  const pooled = globalAvgPool(second);
  return { logits: layers.linear('fc', pooled, classes), pooled, features: {} };
};

const modelOf = (net: Net): Model => ({
  net,
  options: { classes: CLASSES, numChannels: 1, dropoutRate: 0 },
  normalize: { mean: [0.5], std: [0.25] },
  input: pixels,
});

const SIZE = 17;
const images = Uint8Array.from(draw(0, 'images', [SIZE, ...pixels], 0, 256).data);
/** Examples `from` to `to` of 17. */
function batchOf(from: number, to: number): Batch {
  const indices = Uint32Array.from({ length: to - from }, (_, i) => from + i);
  return {
    images: images.slice(16 * from, 16 * to),
    labels: Int32Array.from(indices, (i) => (i * i) % CLASSES),
    indices,
    size: to - from,
  };
}

function trainerOf(net: Net, optimizer: Optimizer, sizes: readonly number[], more: Partial<TrainerOptions> = {}) {
  return Trainer.create(modelOf(net), sizes, { ...trainingOptions(optimizer, SIZE), threads: 1, ...more });
}

const at = (step: number) => ({ step, epoch: 1, epochs: 1, learningRate: 0.1 });

const parse = (changes: object): Params =>
  parseParams({ model_version: 'cnn', learning_rate: 0.1, num_epochs: 1, ...changes }, 'x/params.json');

/** The step of a recipe for the net with two BatchNorms, with the losses and the optimizer of these tests. */
function stepOf(changes: object, net = normed) {
  const dataset = { ...makeShapes({ train: 20, test: 1, seed: 0 }), classes: ['a', 'b', 'c'], shape: pixels };
  const { step } = trainingConfig(parse(changes), modelOf(net), dataset, Uint32Array.of(0), 'x/params.json');
  return { ...step, ...trainingOptions(sgd(), SIZE), threads: 1 };
}

const copy = (arrays: NamedArrays) => new Map([...arrays].map(([name, array]) => [name, bytesOf(array).slice()]));

describe('micro-batches', () => {
  for (const [name, optimizer] of Object.entries({ sgd: sgd({ momentum: 0.9, weightDecay: 0.01 }), adam: adam() })) {
    it(`train as the large batches that they make, by ${name} with clipping and averages`, async () => {
      const more = { clipNorm: 0.5, averageDecay: 0.9 };
      const large = trainerOf(perceptron, optimizer, [15, 2], more);
      const small = trainerOf(perceptron, optimizer, [5, 2], { ...more, accumulates: true });
      const sizes = { examples: SIZE, batchSize: 5, accumulate: 3 };
      for (let epoch = 1; epoch <= 4; epoch++) {
        for (const [i, batch] of [batchOf(0, 15), batchOf(15, 17)].entries()) {
          await large.step(batch, { ...at(2 * (epoch - 1) + i + 1), epoch });
        }
        for (let step = 0; step < 4; step++) {
          const batch = batchOf(5 * step, Math.min(5 * step + 5, SIZE));
          await small.step(batch, { ...at(4 * (epoch - 1) + step + 1), epoch, micro: microBatch(epoch, step, sizes) });
        }
        for (const key of large.state.names) expectClose(small.state.get(key), large.state.get(key), 2e-5, key);
      }
      await Promise.all([large.release(), small.release()]);
    });
  }

  it('leave the weights alone until the last, and go on from the state between them to the bit', async () => {
    const make = () => trainerOf(perceptron, adam(), [5], { accumulates: true });
    const [whole, before, after] = [make(), make(), make()];
    const sizes = { examples: 15, batchSize: 5, accumulate: 3 };
    const run = async (trainer: Trainer, from: number, to: number) => {
      for (let step = from; step < to; step++) {
        await trainer.step(batchOf(5 * step, 5 * step + 5), { ...at(step + 1), micro: microBatch(1, step, sizes) });
      }
    };
    const initial = copy(before.weights());
    await run(before, 0, 2);
    expect(copy(before.weights())).to.deep.equal(initial);
    after.loadState(before.state.arrays());
    await run(after, 2, 3);
    await run(whole, 0, 3);
    expect(copy(after.state.arrays())).to.deep.equal(copy(whole.state.arrays()));
    expect(copy(whole.weights())).not.to.deep.equal(initial);
    await Promise.all([whole, before, after].map((trainer) => trainer.release()));
  });
});

describe('frozen parameters', () => {
  const frozen = { freeze: ['conv1', 'bn*', 'conv2'] };
  const changedBy = async (changes: object) => {
    const trainer = trainerOf(normed, sgd(), [SIZE], stepOf(changes));
    const before = copy(trainer.weights());
    const results = await trainer.step(batchOf(0, SIZE), at(1));
    const changed = [...copy(trainer.weights())].filter(
      ([name, bytes]) => !bytes.every((b, i) => b === before.get(name)![i]),
    );
    await trainer.release();
    return { changed: changed.map(([name]) => name), loss: Number(results.loss!.data[0]) };
  };
  const statistics = ['bn1', 'bn2'].flatMap((name) =>
    ['running_mean', 'running_var', 'num_batches_tracked'].map((key) => `${name}.${key}`),
  );

  it('stay as they are, running statistics too, and the step sees what evaluation sees', async () => {
    const { changed, loss } = await changedBy(frozen);
    expect(changed).to.have.members(['fc.weight', 'fc.bias']);
    const trainer = trainerOf(normed, sgd(), [SIZE]);
    const evaluator = await Evaluator.create(modelOf(normed), trainer.weights(), 1);
    const { labels } = batchOf(0, SIZE);
    const expected = await evaluator.evaluate({ images, labels, size: SIZE }, batchOf(0, SIZE).indices);
    expect(loss).to.be.closeTo(expected.loss, 1e-6);
    await Promise.all([trainer.release(), evaluator.release()]);
  });

  it('with BatchNorm in train mode, only statistics move', async () => {
    const { changed, loss } = await changedBy({ ...frozen, freeze_batch_norm: 'train' });
    expect(changed).to.have.members(['fc.weight', 'fc.bias', ...statistics]);
    expect(Math.abs(loss - (await changedBy(frozen)).loss)).to.be.above(1e-3);
  });

  it('leave the others as they would be: BatchNorm in the frozen part alone is fixed', async () => {
    const { changed } = await changedBy({ freeze: ['conv1', 'bn1'] });
    const second = ['conv2.weight', 'bn2.weight', 'bn2.bias', ...statistics.slice(3)];
    expect(changed).to.have.members([...second, 'fc.weight', 'fc.bias']);
  });

  it('learn at rates of their own otherwise: a step of SGD is as long as its rate', async () => {
    const moved = async (changes: object) => {
      const trainer = trainerOf(perceptron, sgd(), [SIZE], stepOf(changes, perceptron));
      const before = new Map([...trainer.weights()].map(([name, { data }]) => [name, Number(data[0])]));
      await trainer.step(batchOf(0, SIZE), at(1));
      const after = [...trainer.weights()].map(([name, { data }]) => [name, Number(data[0]) - before.get(name)!]);
      await trainer.release();
      return Object.fromEntries(after) as Record<string, number>;
    };
    const plain = await moved({});
    const grouped = await moved({ learning_rates: { 'fc2*': 0.4, 'fc1.weight': 0.05 } });
    for (const [name, factor] of Object.entries({ 'fc2.weight': 4, 'fc2.bias': 4, 'fc1.weight': 0.5, 'fc1.bias': 1 })) {
      expect(plain[name], name).not.to.equal(0);
      expect(grouped[name]! / plain[name]!, name).to.be.closeTo(factor, 1e-3);
    }
  });
});

describe('averaged weights', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'averages-'));
  after(() => rmSync(scratch, { recursive: true }));

  it('are what is evaluated, follow a ← d a + (1 − d) w from the first weights, and are read from a checkpoint', async () => {
    const trainer = trainerOf(normed, sgd(), [SIZE], { averageDecay: 0.75 });
    const start = new Map(
      [...trainer.weights()].map(([name, { data }]) => [name, Array.from(data, Number).map((x) => 2 * x + 1)]),
    );
    const values = [...trainer.weights()].filter(([, { dtype }]) => dtype === 'float32');
    // Weights that a run begins with count as the first ones.
    trainer.loadState(
      new Map(values.map(([name, array]) => [name, { ...array, data: Float32Array.from(start.get(name)!) }])),
    );
    const expected = new Map(values.map(([name]) => [name, start.get(name)!]));
    for (let step = 1; step <= 3; step++) {
      await trainer.step(batchOf(0, SIZE), at(step));
      for (const [name, average] of expected) {
        const raw = trainer.state.get(name).data;
        average.forEach((a, i) => (average[i] = 0.75 * a + 0.25 * Number(raw[i])));
      }
    }
    const path = join(scratch, 'last.safetensors');
    writeSafetensors(path, trainer.state.arrays());
    const read = await readWeights(path);
    for (const [name, average] of expected) {
      const kept = trainer.weights().get(name)!;
      average.forEach((a, i) => expect(Number(kept.data[i]), name).to.be.closeTo(a, 1e-6 * Math.max(1, Math.abs(a))));
      expect(bytesOf(read.get(name)!), name).to.deep.equal(bytesOf(kept));
    }
    expect(bytesOf(trainer.weights().get('fc.weight')!)).not.to.deep.equal(bytesOf(trainer.state.get('fc.weight')));
    expect(trainer.weights().get('bn1.num_batches_tracked')!.data[0]).to.equal(3n);
    expect([...read.keys()].some((name) => name.startsWith(AVERAGE_PREFIX))).to.equal(false);
    await trainer.release();
  });
});

describe('a recipe', () => {
  const dataset = makeShapes({ train: 60, test: 5, seed: 0 });
  const indices = Uint32Array.from({ length: 40 }, (_, i) => i);
  const recipe = (changes: object) => {
    const model = { ...modelOf(normed), input: dataset.shape, normalize: dataset.normalize };
    return trainingConfig(parse(changes), model, dataset, indices, 'x/params.json');
  };

  it('is the training set itself where params.json says nothing', () => {
    const plain = recipe({});
    expect(plain.split).to.equal(dataset.train);
    expect(plain.examples(3)).to.equal(indices);
    const { methods, optimizer, ...rest } = plain.step;
    expect(methods.map(({ name }) => name)).to.deep.equal(['nokd']);
    // Adam, the optimizer of the net: the first step is as long as the learning rate, with its correction.
    expect(optimizer.scalars(1, 0.1).stepSize).to.be.closeTo(1, 1e-9);
    expect(rest).to.deep.equal({
      seed: 230,
      examples: 60,
      mixes: false,
      alpha: 0.9,
      temperature: 4,
      klReduction: 'batchmean',
      threads: 0,
      classWeights: undefined,
      labelSmoothing: undefined,
      rules: undefined,
      clipNorm: undefined,
      averageDecay: undefined,
      accumulates: false,
      scalesLoss: false,
    });
  });

  it('is what params.json says of optimizer and images', () => {
    const changes = {
      optimizer: 'sgd',
      alpha: 0.5,
      temperature: 2,
      seed: 7,
      threads: 1,
    };
    const { step, augment } = recipe({ ...changes, augmentation: [{ name: 'mixup', alpha: 0.2 }] });
    expect(step.optimizer.scalars(5, 0.3)).to.deep.equal({ learningRate: 0.3 });
    expect(step).to.include({ alpha: 0.5, temperature: 2, seed: 7, threads: 1, mixes: true });
    expect(augment).to.have.length(1);
  });

  it('has noise in the labels that are trained on, and nowhere else', () => {
    const before = [...dataset.train.labels];
    const { split } = recipe({ label_noise: 0.5 });
    expect([...split.labels].filter((label, i) => label !== before[i]).length).to.be.within(15, 45);
    expect([...dataset.train.labels]).to.deep.equal(before);
    expect(split.size).to.equal(60);
    expect('images' in split && split.images).to.equal(dataset.train.images);
  });

  it('weighs and samples classes by the labels that are trained on', () => {
    const { split, examples, step } = recipe({ label_noise: 0.5, class_weights: 'balanced', sampling: 'balanced' });
    const counts = Array<number>(10).fill(0);
    for (const i of indices) counts[split.labels[i]!]!++;
    const present = counts.filter((count) => count > 0).length;
    step.classWeights!.forEach((weight, i) => expect(weight).to.equal(counts[i] ? 40 / (10 * counts[i]) : 0));
    const drawn = Array<number>(10).fill(0);
    for (const i of examples(1)) drawn[split.labels[i]!]!++;
    for (const count of drawn.filter((one) => one > 0)) expect(count).to.be.within(Math.floor(40 / present), Math.ceil(40 / present)); // prettier-ignore
  });

  it('names the file, the key and what is accepted', () => {
    for (const [changes, message] of [
      [{ class_weights: [1, 2] }, '"class_weights" must be "balanced" or have 10 numbers, one per class, got 2'],
      [
        { freeze: ['stem'] },
        '"freeze": "stem" matches no parameter of the network; parameter names begin with conv1, bn1, conv2, bn2, fc',
      ],
    ] as const) {
      expect(() => recipe(changes)).to.throw(UserError, `x/params.json: ${message}`);
    }
  });
});

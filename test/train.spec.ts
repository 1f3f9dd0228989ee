/** train.ts from params.json to the files that it leaves. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { sgd } from '../engine/optimizers';
import { Session, State } from '../engine/session';
import { ndarray } from '../formats/ndarray';
import { writeNpy } from '../formats/npy';
import { readSafetensors } from '../formats/safetensors';
import type { StoredDataset } from '../model/data/dataset';
import { batches, partition } from '../model/data/loader';
import { makeShapes } from '../model/data/sets/shapes';
import { allOf, Evaluator } from '../model/evaluation/evaluator';
import { nets } from '../model/nets';
import type { Model } from '../model/nets/model';
import { trainingGraph } from '../model/training/step_graph';
import type { EpochRecord } from '../runs/metrics';
import { readPredictions } from '../runs/predictions';
import { formatMetrics } from '../utils/logger';
import { experiment, readJsonIn, results, train, writeInitialWeights } from './helpers/train';
import { trainingOptions } from './helpers/training';

/** A metrics_*.json. */
interface Summary {
  accuracy: number;
  loss: number;
  epoch: number;
  selected_on: string;
}

describe('train.ts', function () {
  this.timeout(120_000);
  const scratch = mkdtempSync(join(tmpdir(), 'train-'));
  after(() => rmSync(scratch, { recursive: true }));

  /** Runs an experiment to its end. */
  async function run(name: string, changes: object = {}): Promise<{ path: string; stdout: string }> {
    const path = experiment(join(scratch, name), changes);
    const { exitCode, stdout, stderr } = await train(scratch, ['--model_dir', path]);
    expect(stderr).to.equal('');
    expect(exitCode).to.equal(0);
    return { path, stdout };
  }

  const history = (path: string): EpochRecord[] =>
    readFileSync(join(path, 'metrics.jsonl'), 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as EpochRecord);

  describe('three epochs of a student alone', () => {
    let path: string;
    let stdout: string;
    let records: EpochRecord[];
    before(async () => {
      ({ path, stdout } = await run('alone', { num_epochs: 3, augmentation: 'no', num_channels: 8, batch_size: 32 }));
      records = history(path);
    });

    it('learn', () => {
      const [first, second, third] = records.map(({ train }) => train.loss!);
      expect(second).to.be.lessThan(first! - 0.05);
      expect(third).to.be.lessThan(second! - 0.05);
      expect(records[2]!.train.accuracy).to.be.greaterThan(records[0]!.train.accuracy! + 0.1);
    });

    it('leave the files of a run and nothing else', () => {
      expect(readdirSync(path).sort()).to.deep.equal([
        'best.safetensors',
        'events',
        'images_test.safetensors',
        'last.safetensors',
        'metrics.jsonl',
        'metrics_test_best_weights.json',
        'metrics_val_best_weights.json',
        'metrics_val_last_weights.json',
        'params.json',
        'predictions_test.safetensors',
        'predictions_val.safetensors',
        'previous.safetensors',
        'run.json',
        'train.log',
      ]);
      expect(readdirSync(join(path, 'events'))).to.have.length(1);
    });

    it('are a line of metrics.jsonl each', () => {
      expect(records.map(({ epoch }) => epoch)).to.deep.equal([1, 2, 3]);
      for (const { learning_rate, train, val } of records) {
        expect(learning_rate).to.equal(0.003);
        expect(train).to.have.all.keys('accuracy', 'loss');
        expect(val).to.have.all.keys('accuracy', 'loss');
      }
    });

    it('are summed up in the metrics of the best and the last epoch', () => {
      const best = records.reduce((a, b) => (b.val.accuracy! >= a.val.accuracy! ? b : a));
      const summary = ({ epoch, val }: EpochRecord) => ({ ...val, epoch, selected_on: 'validation' });
      expect(readJsonIn(path, 'metrics_val_best_weights.json')).to.deep.equal(summary(best));
      expect(readJsonIn(path, 'metrics_val_last_weights.json')).to.deep.equal(summary(records[2]!));
      const test = readJsonIn<Summary>(path, 'metrics_test_best_weights.json');
      expect(test).to.include({ epoch: best.epoch, selected_on: 'validation' });
      expect(test).to.have.all.keys('accuracy', 'loss', 'epoch', 'selected_on');
    });

    it('keep what the best epoch predicts for each image', () => {
      const { train, test, classes } = makeShapes({ train: 400, test: 100, seed: 0 });
      const { validation } = partition(400, { validation: 0.1, subset: 1, seed: 230 });
      for (const [part, split, indices] of [
        ['val', train, validation],
        ['test', test, allOf(test)],
      ] as const) {
        const kept = readPredictions(join(path, `predictions_${part}.safetensors`));
        const { accuracy, epoch } = readJsonIn<Summary>(path, `metrics_${part}_best_weights.json`);
        expect(kept.epoch).to.equal(epoch);
        expect(kept.classes).to.deep.equal(classes);
        expect([...kept.indices]).to.deep.equal([...indices]);
        expect([...kept.labels]).to.deep.equal(Array.from(indices, (example) => split.labels[example]));
        const hits = kept.labels.filter((label, i) => label === kept.predicted[i]).length;
        expect(hits / indices.length).to.equal(accuracy);
        expect(kept.confidences.every((share) => share >= 0.1 && share <= 1)).to.equal(true);
      }
    });

    it('are logged in the words of the classic train.log, on the console and in the file', () => {
      let best = 0;
      const epochs = records.flatMap(({ epoch, train, val }) => {
        const [isBest, isTie] = [val.accuracy! >= best, val.accuracy === best];
        best = Math.max(best, val.accuracy!);
        const number = (value: number) => value.toFixed(3);
        return [
          `Epoch ${epoch}/3`,
          `- Train metrics: accuracy: ${number(train.accuracy!)} ; loss: ${number(train.loss!)}`,
          `- Eval metrics : accuracy: ${number(val.accuracy!)} ; loss: ${number(val.loss)}`,
          ...(isBest
            ? [isTie ? '- As good as the best accuracy: the later epoch counts' : '- Found new best accuracy']
            : []),
        ];
      });
      const { epoch, accuracy, loss } = readJsonIn<Summary>(path, 'metrics_test_best_weights.json');
      const described = readJsonIn<{ device_description: string }>(path, 'run.json');
      expect(stdout.split('\n')).to.deep.equal([
        'Loading the datasets: shapes, 360 images to train on',
        '- done.',
        `Device: ${described.device_description}`,
        'Starting training for 3 epochs',
        ...epochs,
        `- Test metrics of epoch ${epoch}: ${formatMetrics({ accuracy, loss })}`,
        '',
      ]);
      const log = readFileSync(join(path, 'train.log'), 'utf8').split('\n');
      expect(log.map((line) => line.replace(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}:INFO: /, ''))).to.deep.equal(
        stdout.split('\n'),
      );
    });

    it('are described in run.json', () => {
      const description = readJsonIn<{ seed: number; parameters: number; epoch_seconds: number[] }>(path, 'run.json');
      expect(description.seed).to.equal(230);
      // Convolutions 3 → 8 → 16 → 32 with biases, a linear layer of 512 → 32 and one of 32 → 10, four BatchNorms.
      const convolutions = (3 * 9 + 1) * 8 + (8 * 9 + 1) * 16 + (16 * 9 + 1) * 32;
      expect(description.parameters).to.equal(convolutions + 513 * 32 + 33 * 10 + 2 * (8 + 16 + 32 + 32));
      expect(description.epoch_seconds).to.have.length(3);
    });
  });

  describe('metrics', () => {
    // With a vanishing learning rate every step sees the initial parameters, so each batch can be computed again.
    const changes = {
      learning_rate: 1e-30,
      optimizer: 'sgd',
      dataset: { name: 'shapes', train: 100, test: 300 },
      validation: 'test',
      subset_percent: 0.9,
      batch_size: 64,
    };
    let path: string;
    let dataset: StoredDataset;
    let model: Model;
    before(async () => {
      ({ path } = await run('means', changes));
      dataset = makeShapes({ train: 100, test: 300, seed: 0 });
      const options = { classes: 10, numChannels: 4, dropoutRate: 0 };
      model = { net: nets.cnn!.build, options, normalize: dataset.normalize, input: dataset.shape };
    });

    it('of training are means over examples, whatever the batches', async () => {
      const parts = partition(100, { validation: 0, subset: 0.9, seed: 230 });
      let correct = 0;
      let loss = 0;
      const sizes: number[] = [];
      const { shape } = dataset;
      const pass = { shape, batchSize: 64, seed: 230, epoch: 1, shuffle: true, augment: true };
      for (const { size, images, labels } of batches(dataset.train, parts.train, pass)) {
        const graph = trainingGraph(model, trainingOptions(sgd(), size, { seed: 230 }));
        const session = await Session.create(graph, { threads: 1 });
        const feeds = {
          images: { dtype: 'uint8', shape: [size, ...shape], data: images },
          labels: { dtype: 'int32', shape: [size], data: labels },
        } as const;
        const rates = graph.feeds({ seed: 230, step: 1, epoch: 1, epochs: 1, learningRate: 0 });
        const result = await session.run({ ...feeds, ...rates }, State.initial(graph));
        correct += Number(result.correct!.data[0]);
        loss += Number(result.loss!.data[0]) * size;
        sizes.push(size);
        await session.release();
      }
      expect(sizes).to.deep.equal([64, 26]);
      const [record] = history(path);
      expect(record!.train.accuracy).to.equal(correct / 90);
      expect(record!.train.loss).to.be.closeTo(loss / 90, 1e-6);
    });

    it('of the test set are those of the best weights, and means over examples', async () => {
      const { tensors } = readSafetensors(join(path, 'best.safetensors'));
      const evaluator = await Evaluator.create(model, tensors, 1);
      const { images, labels, size } = dataset.test;
      const logits = (await evaluator.logits({ images, labels: Int32Array.from(labels), size })).data as Float32Array;
      await evaluator.release();
      let correct = 0;
      let loss = 0;
      for (const example of allOf(dataset.test)) {
        const row = Array.from(logits.subarray(10 * example, 10 * example + 10));
        const label = labels[example]!;
        correct += row.indexOf(Math.max(...row)) === label ? 1 : 0;
        loss += Math.log(row.reduce((sum, z) => sum + Math.exp(z), 0)) - row[label]!;
      }
      const test = readJsonIn<Summary>(path, 'metrics_test_best_weights.json');
      expect(test.accuracy).to.equal(correct / 300);
      expect(test.loss).to.be.closeTo(loss / 300, 1e-6);
    });

    it('say that the epoch was chosen on the test set where it was', () => {
      const { accuracy, loss } = history(path)[0]!.val;
      const expected = { accuracy, loss, epoch: 1, selected_on: 'test' };
      for (const name of ['val_best', 'val_last', 'test_best']) {
        expect(readJsonIn(path, `metrics_${name}_weights.json`)).to.deep.equal(expected);
      }
    });
  });

  describe('the same params.json', () => {
    // All threads, dropout, augmentation, a smaller last batch, and a teacher found where its own experiment left it.
    const changes = {
      model_version: 'cnn_distill',
      teacher: { model: 'cnn', num_channels: 8 },
      dropout_rate: 0.5,
      num_epochs: 2,
      threads: 0,
    };
    let paths: string[];
    before(async () => {
      const base = experiment(join(scratch, 'experiments', 'base_cnn'));
      writeInitialWeights(join(base, 'best.safetensors'), 'cnn', 8);
      paths = (await Promise.all(['one', 'two'].map((name) => run(name, changes)))).map(({ path }) => path);
    });

    it('gives the same bytes in another directory', () => {
      expect(Object.keys(results(paths[0]!))).to.have.length(10);
      expect(results(paths[0]!)).to.deep.equal(results(paths[1]!));
    });

    it('gives other weights with another seed', async () => {
      const { path } = await run('other_seed', { ...changes, seed: 231 });
      expect(results(path)['best.safetensors']).not.to.equal(results(paths[0]!)['best.safetensors']);
    });

    it('gives other weights without dropout, augmentation or teacher', async () => {
      const variants = [{ dropout_rate: 0 }, { augmentation: 'no' }, { method: 'nokd' }];
      const others = await Promise.all(variants.map((change, i) => run(`variant_${i}`, { ...changes, ...change })));
      const weights = [paths[0]!, ...others.map(({ path }) => path)].map((path) => results(path)['best.safetensors']);
      expect(new Set(weights).size).to.equal(4);
    });

    it('reports the parts of a loss with a teacher, which add up to it', () => {
      for (const { train } of history(paths[0]!)) {
        expect(train).to.have.all.keys('accuracy', 'loss', 'loss/ce', 'loss/kd');
        expect(train['loss/ce']! + train['loss/kd']!).to.be.closeTo(train.loss!, 1e-5);
        expect(train['loss/ce']).to.be.greaterThan(0);
        expect(train['loss/kd']).to.be.greaterThan(0);
      }
    });
  });

  describe('the distance of a student from its teacher', () => {
    const changes = {
      model_version: 'cnn_distill',
      dataset: { name: 'shapes', train: 100, test: 60 },
      augmentation: 'no',
      num_epochs: 2,
    };
    const logits = Float32Array.from({ length: 1000 }, (_, i) => Math.sin(i) * 3);
    const differences = (path: string) => history(path).map(({ val }) => val.logit_difference);

    it('is the mean over validation images and classes', async () => {
      const teacher = { logits: join(scratch, 'logits.npy') };
      writeNpy(teacher.logits, ndarray('float32', [100, 10], logits));
      const { path } = await run('difference', { ...changes, teacher });
      const { train, normalize, shape } = makeShapes({ train: 100, test: 60, seed: 0 });
      const options = { classes: 10, numChannels: 4, dropoutRate: 0 };
      const { tensors } = readSafetensors(join(path, 'best.safetensors'));
      const evaluator = await Evaluator.create({ net: nets.cnn!.build, options, normalize, input: shape }, tensors, 1);
      const { images, labels, size } = train;
      const found = (await evaluator.logits({ images, labels: Int32Array.from(labels), size })).data as Float32Array;
      await evaluator.release();
      let sum = 0;
      const { validation } = partition(100, { validation: 0.1, subset: 1, seed: 230 });
      for (const example of validation) {
        for (let c = 0; c < 10; c++) sum += Math.abs(logits[10 * example + c]! - found[10 * example + c]!);
      }
      const best = readJsonIn<{ epoch: number; logit_difference: number }>(path, 'metrics_val_best_weights.json');
      expect(best.logit_difference).to.be.closeTo(sum / 100, 1e-4);
      expect(differences(path)[best.epoch - 1]).to.equal(best.logit_difference);
      expect(differences(path).every(Number.isFinite)).to.equal(true);
    });

    it('is left out where cached logits do not reach the images', async () => {
      const teacher = { logits: join(scratch, 'logits.npy') };
      const { path } = await run('no_difference', { ...changes, teacher, validation: 'test' });
      expect(differences(path)).to.deep.equal([undefined, undefined]);
    });
  });

  it('trains on a part of the images, and validates on a part of all of them', async () => {
    const { path, stdout } = await run('part', { validation: 0.1925, subset_percent: 0.2525 });
    expect(stdout).to.match(/^Loading the datasets: shapes, 101 images to train on\n/);
    // Shares of 101 and of 77 images; neither number divides by another that could stand in its place.
    const [{ train, val }] = history(path) as [EpochRecord];
    for (const share of [train.accuracy! * 101, val.accuracy! * 77]) {
      expect(share).to.be.greaterThan(0).and.be.closeTo(Math.round(share), 1e-9);
    }
  });
});

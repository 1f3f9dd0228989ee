/** train.ts on a folder of images without labels, with an encoder as the teacher. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import sharp from 'sharp';
import { loadDataset } from '../model/data';
import { loadBatches, plainPass, type Batch } from '../model/data/loader';
import { allOf } from '../model/evaluation/evaluator';
import { DeployedModel } from '../model/evaluation/exported_model';
import { readExperiment, studentOf } from '../model/experiment/experiment';
import { loadTeacher, type TeacherParams } from '../model/teachers';
import type { EpochRecord } from '../runs/metrics';
import { UserError } from '../utils/errors';
import { Random } from '../utils/random';
import { expectSameBytes } from './helpers/disturbances';
import { experiment, readJsonIn, runScript } from './helpers/train';
import { trainHere } from './helpers/train_here';

/** PNGs of noise: some directly in the folder, the others in folders that mean nothing, one of which is empty. */
async function writeImages(dir: string): Promise<void> {
  for (let i = 0; i < 30; i++) {
    const folder = join(dir, i < 10 ? '' : `album ${i % 3}`, i % 2 ? 'summer' : '');
    mkdirSync(folder, { recursive: true });
    const pixels = new Float32Array(40 * 36 * 3);
    new Random(i, 'image').fillUniform(pixels, 100 * (i % 2), 256);
    const image = sharp(Uint8Array.from(pixels), { raw: { width: 40, height: 36, channels: 3 } });
    await image.png().toFile(join(folder, `${i}.png`));
  }
  mkdirSync(join(dir, 'nothing'));
}

async function all(batches: AsyncIterable<Batch>): Promise<Batch[]> {
  const found: Batch[] = [];
  for await (const batch of batches) found.push(batch);
  return found;
}

describe('train.ts on images without labels', function () {
  this.timeout(120_000);
  const scratch = mkdtempSync(join(tmpdir(), 'train-unlabeled-'));
  const dir = join(scratch, 'photos');
  before(() => writeImages(dir));
  after(() => rmSync(scratch, { recursive: true }));

  const params = {
    model_version: 'mlp',
    hidden_sizes: [4],
    dataset: { name: 'folder', dir, size: 32, labels: false as const, cache: join(scratch, 'cache') },
    teacher: {
      onnx: join(__dirname, 'fixtures', 'onnx_taps', 'tiny_vit.dynamo.onnx'),
      output: 'embedding',
      outputs: { pooled: { value: 'norm', tokens: 'class' } },
    },
    method: 'embedding',
    batch_size: 8,
    num_epochs: 3,
    validation: 0.25,
  };

  async function run(name: string, changes: object = {}): Promise<{ directory: string; error: unknown }> {
    const directory = experiment(join(scratch, name), { ...params, ...changes });
    const { error } = await trainHere(['--model_dir', directory]);
    return { directory, error };
  }
  const historyIn = (directory: string) =>
    readFileSync(join(directory, 'metrics.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as EpochRecord);

  it('chooses the epoch with the lowest loss on held-out images, and tells no accuracy', async () => {
    // At this rate the loss rises after the first epoch.
    const method = { name: 'embedding', distance: 'mse' };
    const { directory, error } = await run('whole', { method, learning_rate: 30, optimizer: 'sgd' });
    expect(error).to.equal(undefined);
    const history = historyIn(directory);
    expect(history).to.have.length(3);
    for (const { train, val } of history) {
      expect(train).to.have.all.keys('loss');
      expect(val).to.have.all.keys('loss');
    }
    const lowest = history.reduce((best, one) => (one.val.loss <= best.val.loss ? one : best));
    expect(lowest.epoch, 'an epoch before the last').to.be.below(3);
    expect(readJsonIn(directory, 'metrics_val_best_weights.json')).to.include({ epoch: lowest.epoch, ...lowest.val });
    const test = readJsonIn(directory, 'metrics_test_best_weights.json');
    expect(test).to.have.all.keys('loss', 'epoch', 'selected_on');
    expect(test).to.include({ epoch: lowest.epoch });
    expect(existsSync(join(directory, 'predictions_val.safetensors'))).to.equal(false);
    const log = readFileSync(join(directory, 'train.log'), 'utf8');
    expect(log).to.contain('18 images to train on').and.to.contain('Found new best loss');
    expect(log).not.to.contain('accuracy');
  });

  it('is exported as its vectors in the space of the teacher, those of the best epoch', async () => {
    const directory = join(scratch, 'whole');
    const { exitCode, stdout, stderr } = await runScript('export.ts', scratch, ['--model_dir', directory]);
    expect(stderr).to.equal('');
    expect(exitCode).to.equal(0);
    expect(stdout)
      .to.match(/cosine with the network's +│ 1\.000000/)
      .and.not.to.contain('accuracy');
    const { float32 } = readJsonIn<{ float32: object }>(directory, 'export.json');
    expect(float32).to.have.all.keys('bytes', 'cosine', 'largest_difference', 'latency');

    const dataset = await loadDataset({ ...params.dataset, name: 'folder' });
    const { params: given } = readExperiment(join(directory, 'params.json'));
    const teacher = await loadTeacher(given.teacher as TeacherParams, studentOf(given, dataset), dataset, {
      threads: 1,
      log: () => {},
    });
    const deployed = await DeployedModel.open(join(directory, 'student.onnx'), dataset.shape, 1, 'embedding');
    const [batch] = await all(loadBatches(dataset.test, allOf(dataset.test), plainPass(dataset.shape)));
    const wanted = (await teacher.outputs(batch!, ['pooled'])).pooled!.data as Float32Array;
    const vectors = (await deployed.logits(batch!)).data as Float32Array;
    const mean = vectors.reduce((sum, value, i) => sum + (value - wanted[i]!) ** 2, 0) / wanted.length;
    const { loss } = readJsonIn<{ loss: number }>(directory, 'metrics_test_best_weights.json');
    expect(mean / loss).to.be.closeTo(1, 1e-4);
    await Promise.all([teacher.release(), deployed.release()]);
  });

  it('has no logits to evaluate or to write', async () => {
    const directory = join(scratch, 'whole');
    for (const script of ['evaluate.ts', 'generate_logits.ts']) {
      const { exitCode, stderr } = await runScript(script, scratch, ['--model_dir', directory]);
      expect(exitCode).to.equal(1);
      expect(stderr).to.contain(
        `${directory}: "method" is "embedding", which trains no classifier, so that there are no logits; npx ts-node export.ts writes its vectors as an ONNX file\n`,
      );
    }
  });

  it('is reported and searched by its loss', async () => {
    const report = await runScript('synthesize_results.ts', scratch, ['--parent_dir', join(scratch, 'whole')]);
    expect(report).to.include({ exitCode: 0 });
    expect(report.stdout).to.contain('test_loss').and.not.to.contain('accuracy');

    const search = experiment(join(scratch, 'search'), { ...params, num_epochs: 1 });
    const searched = async (settings: object) => {
      writeFileSync(
        join(search, 'search.json'),
        JSON.stringify({ space: { learning_rate: [0.001, 0.01] }, ...settings }),
      );
      return runScript('search_hyperparams.ts', scratch, ['--parent_dir', search]);
    };
    const { exitCode, stderr } = await searched({});
    expect(exitCode).to.equal(1);
    expect(stderr).to.contain(
      `${join(search, 'search.json')}: "metric" must be "val_loss" or "train_loss", got "val_accuracy": no image has a label\n`,
    );
    const done = await searched({ metric: 'val_loss' });
    expect(done.stdout).to.match(/Best val_loss: 0\.\d{4} of /);
    expect(done).to.include({ exitCode: 0 });
  });

  // Interrupted while it evaluates, and killed both there and in a step.
  for (const index of [2, 6]) {
    it(`ends with the same bytes, disturbed in way ${index}`, () => expectSameBytes(scratch, params, index));
  }

  it('refuses in one line what needs labels, and names what is accepted', async () => {
    const cases: [changes: object, line: string][] = [
      [
        { method: 'kd' },
        '"method" must be a method without labels ("embedding") if "dataset.labels" is false, got "kd"',
      ],
      [
        { method: ['embedding', 'nokd'] },
        '"method" must be a method without labels ("embedding") if "dataset.labels" is false, got "nokd"',
      ],
      [{ class_weights: 'balanced' }, '"class_weights" must be absent if "dataset.labels" is false, got "balanced"'],
      [
        { sampling: 'balanced' },
        '"sampling" must be absent or "shuffled" if "dataset.labels" is false, got "balanced"',
      ],
      [{ label_noise: 0.1 }, '"label_noise" must be absent or 0 if "dataset.labels" is false, got 0.1'],
      [{ label_smoothing: 0.1 }, '"label_smoothing" must be absent or 0 if "dataset.labels" is false, got 0.1'],
      [
        { schedule: { type: 'plateau', metric: 'accuracy' } },
        '"schedule.metric" must be "loss" if "dataset.labels" is false, got "accuracy"',
      ],
    ];
    for (const [changes, line] of cases) {
      const { directory, error } = await run('refused', changes);
      expect(error).to.be.instanceOf(UserError);
      expect((error as Error).message).to.equal(`${join(directory, 'params.json')}: ${line}`);
    }
  });

  it('says what "labels" may be', async () => {
    const { directory, error } = await run('refused', { dataset: { ...params.dataset, labels: true } });
    expect((error as Error).message).to.equal(
      `${join(directory, 'params.json')}: "dataset.labels" must be the path of a list, a list of such, an object with "file", or false, got true`,
    );
  });
});

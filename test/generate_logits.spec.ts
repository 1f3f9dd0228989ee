/** generate_logits.ts, and training from what it writes. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { readNpy } from '../formats/npy';
import { readSafetensors } from '../formats/safetensors';
import { makeShapes } from '../model/data/sets/shapes';
import { Evaluator } from '../model/evaluation/evaluator';
import { nets } from '../model/nets';
import type { EpochRecord } from '../runs/metrics';
import { experiment, runScript, train, writeInitialWeights } from './helpers/train';

const sizes = { train: 200, test: 50 };

describe('generate_logits.ts', function () {
  this.timeout(120_000);
  const scratch = mkdtempSync(join(tmpdir(), 'generate-logits-'));
  const teacher = join(scratch, 'teacher');
  const best = join(teacher, 'best.safetensors');
  const cached = join(teacher, 'train_logits.npy');
  let stdout: string;

  const generate = (...args: string[]) => runScript('generate_logits.ts', scratch, args);

  before(async () => {
    experiment(teacher, { dataset: { name: 'shapes', ...sizes } });
    writeInitialWeights(best, 'cnn', 4);
    const ended = await generate('--model_dir', teacher);
    expect(ended.stderr).to.equal('');
    expect(ended.exitCode).to.equal(0);
    ({ stdout } = ended);
  });
  after(() => rmSync(scratch, { recursive: true }));

  it('writes the logits of the best weights for both parts, in the order of the data set', async () => {
    const dataset = makeShapes({ ...sizes, seed: 0 });
    const model = {
      net: nets.cnn!.build,
      options: { classes: 10, numChannels: 4, dropoutRate: 0 },
      normalize: dataset.normalize,
      input: dataset.shape,
    };
    const evaluator = await Evaluator.create(model, readSafetensors(best).tensors, 1);
    for (const part of ['train', 'test'] as const) {
      const { images, labels, size } = dataset[part];
      const expected = await evaluator.logits({ images, labels: Int32Array.from(labels), size });
      const path = join(teacher, `${part}_logits.npy`);
      expect(readNpy(path)).to.deep.equal(expected);
      const { accuracy } = await evaluator.evaluate(dataset[part], Uint32Array.from(labels.keys()));
      expect(stdout).to.contain(`${path}: ${size} × 10, accuracy ${accuracy.toFixed(4)}\n`);
    }
    await evaluator.release();
  });

  it('writes where --out says, from the file that --restore_file names', async () => {
    const other = writeInitialWeights(join(scratch, 'other.safetensors'), 'cnn', 4);
    const out = join(scratch, 'new', 'folder');
    const before = readdirSync(teacher);
    const { exitCode, stderr } = await generate('--model_dir', teacher, '--restore_file', other, '--out', out);
    expect(exitCode).to.equal(0);
    expect(stderr).to.match(/^notice: .*other.* is not from this run; images are normalized with the mean \[.*\n$/);
    expect(readdirSync(out).sort()).to.deep.equal(['test_logits.npy', 'train_logits.npy']);
    expect(readFileSync(join(out, 'train_logits.npy')).equals(readFileSync(cached))).to.equal(true);
    expect(readdirSync(teacher)).to.deep.equal(before);
  });

  it('gives a student the same training as the checkpoint itself, and as both of them', async () => {
    const net = { model: 'cnn', num_channels: 4, checkpoint: best };
    const changes = {
      model_version: 'cnn_distill',
      augmentation: 'no',
      dataset: { name: 'shapes', ...sizes },
      num_epochs: 2,
      batch_size: 48,
    };
    const teachers = { checkpoint: net, cached: { logits: cached }, list: [net, { logits: cached }] };
    const runs = Object.entries(teachers).map(async ([name, from]) => {
      const path = experiment(join(scratch, name), { ...changes, teacher: from });
      const { exitCode, stderr, stdout: said } = await train(scratch, ['--model_dir', path]);
      expect([stderr, exitCode]).to.deep.equal(['', 0]);
      return { path, said };
    });
    const [fromCheckpoint, fromCache, fromBoth] = await Promise.all(runs);
    const epochs = (path: string) =>
      readFileSync(join(path, 'metrics.jsonl'), 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as EpochRecord);
    const wanted = epochs(fromCheckpoint!.path);
    expect(wanted).to.have.length(2);
    for (const { path, said } of [fromCache!, fromBoth!]) {
      epochs(path).forEach(({ train: { loss, ['loss/kd']: kd }, val }, i) => {
        expect(loss).to.be.closeTo(wanted[i]!.train.loss!, 1e-6);
        expect(kd).to.be.closeTo(wanted[i]!.train['loss/kd']!, 1e-6);
        expect(val.loss).to.be.closeTo(wanted[i]!.val.loss, 1e-6);
        expect(val.accuracy).to.equal(wanted[i]!.val.accuracy);
      });
      expect(said).to.match(/\nTeacher .*train_logits\.npy: agrees with the labels of \d+\.\d % of 20 images/);
      expect(readFileSync(join(path, 'train.log'), 'utf8')).to.match(/:(INFO|WARNING): Teacher .*train_logits\.npy: /);
    }
  });

  it('says in one line what is wrong, and writes nothing', async () => {
    const untrained = experiment(join(scratch, 'untrained'));
    const file = join(scratch, 'file');
    writeFileSync(file, '');
    const cases: [args: string[], says: string, exitCode: number][] = [
      [[], '--model_dir is missing: name the directory of a trained experiment', 2],
      [['--model_dir', untrained], `${join(untrained, 'best.safetensors')}: no such file`, 1],
      [['--model_dir', teacher, '--out', file], `${file}: cannot be written: `, 1],
    ];
    await Promise.all(
      cases.map(async ([args, says, exitCode]) => {
        const ended = await generate(...args);
        expect(ended.stderr).to.match(/^error: [^\n]+\n$/);
        expect(ended.stderr).to.contain(says);
        expect(ended.exitCode).to.equal(exitCode);
        // Without arguments its usage follows.
        if (args.length === 0) expect(ended.stdout).to.match(/^usage: generate_logits\.ts /);
        else expect(ended.stdout).to.equal('');
      }),
    );
    expect(readdirSync(untrained)).to.deep.equal(['params.json']);
  });
});

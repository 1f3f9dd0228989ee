/** evaluate.ts, on a run of train.ts and on ONNX files. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { expect } from 'chai';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { readSafetensors } from '../formats/safetensors';
import { makeShapes } from '../model/data/sets/shapes';
import { allOf, Evaluator } from '../model/evaluation/evaluator';
import type { Figures } from '../model/evaluation/metrics';
import { nets } from '../model/nets';
import { experiment, readJsonIn, runScript, snapshot, train, type Ended } from './helpers/train';

interface Evaluation extends Figures {
  file: string;
  split: string;
  images: number;
  class_accuracy: Record<string, number | null>;
  bytes: number;
  parameters?: number;
  flops_per_image?: number;
}

const dataset = { name: 'shapes', train: 300, test: 110 };
const changes = { dataset, num_channels: 8, num_epochs: 2 };
const foreign = join(__dirname, 'fixtures', 'teachers', 'open_batch.onnx');

describe('evaluate.ts', function () {
  this.timeout(120_000);
  const scratch = mkdtempSync(join(tmpdir(), 'evaluate-'));
  const run = join(scratch, 'run');
  after(() => rmSync(scratch, { recursive: true }));

  const evaluate = (...args: string[]) => runScript('evaluate.ts', scratch, args);

  /** Evaluates, which must end well, and reads the figures from `evaluation/evaluation_<name>.json`. */
  async function evaluation(name: string, ...args: string[]): Promise<Evaluation> {
    const directory = args[0]!;
    const { exitCode, stderr } = await evaluate('--model_dir', ...args);
    expect(withoutNotices(stderr)).to.equal('');
    expect(exitCode).to.equal(0);
    return readJsonIn<Evaluation>(join(directory, 'evaluation'), `evaluation_${name}.json`);
  }

  const withoutNotices = (stderr: string) => stderr.replaceAll(/^notice: .*\n/gm, '');

  let trained: Record<string, string>;
  let evaluated: Record<string, string>;
  let stdout: string;
  let figures: Evaluation;
  before(async () => {
    experiment(run, changes);
    expect(await train(scratch, ['--model_dir', run])).to.include({ exitCode: 0 });
    trained = snapshot(run);
    const ended = await evaluate('--model_dir', run, '--split', 'test', '--temperature', '20');
    expect(ended).to.include({ exitCode: 0, stderr: '' });
    ({ stdout } = ended);
    evaluated = snapshot(run);
    figures = readJsonIn<Evaluation>(join(run, 'evaluation'), 'evaluation_test_best.json');
  });

  const linesOf = (name: string) =>
    readFileSync(join(run, 'evaluation', name), 'utf8')
      .replace(/\n$/, '')
      .split('\n')
      .map((line) => line.split(' ').map(Number));

  describe('on the test images at temperature 20', () => {
    it('writes into a folder of its own, and nowhere else', () => {
      for (const [path, hash] of Object.entries(trained)) expect(evaluated[path], path).to.equal(hash);
      const written = Object.keys(evaluated).filter((path) => !(path in trained));
      expect(written.map((path) => relative('evaluation', path))).to.deep.equal([
        'evaluation_test_best.json',
        'test_confusion_matrix.svg',
        'test_temp20.0_confusion_matrix.txt',
        'test_temp20.0_predict_correct.txt',
        'test_temp20.0_soft_targets.svg',
        'test_temp20.0_soft_targets_examples.svg',
        'test_temp20.0_softmax_scores.txt',
        'test_worst_images.svg',
      ]);
    });

    it('finds the accuracy and the loss that training found', () => {
      const { accuracy, loss } = readJsonIn<Figures>(run, 'metrics_test_best_weights.json');
      expect(figures.accuracy).to.equal(accuracy);
      expect(figures.loss).to.be.closeTo(loss, 1e-6);
      expect(figures).to.include({ split: 'test', images: 110, file: join(run, 'best.safetensors') });
    });

    it('counts parameters, operations and bytes', () => {
      // As in run.json, which train.ts wrote.
      const description = readJsonIn<Evaluation>(run, 'run.json');
      expect(figures.parameters).to.equal(description.parameters).and.to.be.greaterThan(1000);
      expect(figures.flops_per_image).to.equal(description.flops_per_image).and.to.be.greaterThan(1000);
      expect(figures.bytes).to.equal(statSync(join(run, 'best.safetensors')).size);
    });

    it('writes scores that are probabilities, flat as of that temperature', () => {
      const scores = linesOf('test_temp20.0_softmax_scores.txt');
      expect(scores).to.have.length(110);
      for (const row of scores) {
        expect(row).to.have.length(10);
        expect(row.reduce((sum, p) => sum + p, 0)).to.be.closeTo(1, 1e-12);
        expect(Math.max(...row)).to.be.within(0.1, 0.3);
      }
      const text = readFileSync(join(run, 'evaluation', 'test_temp20.0_softmax_scores.txt'), 'utf8');
      expect(text).to.match(/^(\d\.\d{18}e[+-]\d\d( |\n))+$/);
    });

    it('writes hits and a confusion matrix that agree with each other', () => {
      const hits = linesOf('test_temp20.0_predict_correct.txt').flat();
      expect(hits).to.have.length(110);
      const right = hits.filter((hit) => hit === 1).length;
      expect(right / 110).to.equal(figures.accuracy);
      const scores = linesOf('test_temp20.0_softmax_scores.txt');
      // Image i of the shapes is of class i mod 10.
      scores.forEach((row, i) => expect(hits[i]).to.equal(row.indexOf(Math.max(...row)) === i % 10 ? 1 : 0));
      const confusion = linesOf('test_temp20.0_confusion_matrix.txt');
      confusion.forEach((row) => expect(row.reduce((sum, count) => sum + count, 0)).to.equal(11));
      expect(confusion.reduce((sum, row, k) => sum + row[k]!, 0)).to.equal(right);
      expect(Object.values(figures.class_accuracy)).to.deep.equal(confusion.map((row, k) => row[k]! / 11));
    });

    it('splits the loss', () => {
      const { correct, wrong } = figures.loss_split;
      expect(correct.count + wrong.count).to.equal(110);
      expect(correct.count / 110).to.equal(figures.accuracy);
      expect((correct.total + wrong.total) / 110).to.be.closeTo(figures.loss, 1e-9);
    });

    it('shows the images with the worst losses', () => {
      const svg = readFileSync(join(run, 'evaluation', 'test_worst_images.svg'), 'utf8');
      const losses = [...svg.matchAll(/>loss ([\d.]+)</g)].map(([, loss]) => Number(loss));
      expect(losses).to.have.length(20);
      expect(losses).to.deep.equal([...losses].sort((a, b) => b - a));
      expect(losses[0]).to.be.greaterThan(figures.loss);
      expect(svg.match(/data:image\/png;base64,/g)).to.have.length(20);
    });

    it('says it on the console', () => {
      expect(stdout).to.include(`${join(run, 'best.safetensors')} on 110 test images`);
      expect(stdout).to.match(new RegExp(`accuracy +│ ${(100 * figures.accuracy).toFixed(2)} %`));
      expect(stdout).to.match(/│ heart +│ 11 +│/);
      expect(stdout).to.include(`Written to ${join(run, 'evaluation')}`);
    });
  });

  it('takes the validation images unless told otherwise, and the weights that it is told', async () => {
    const { accuracy, loss } = readJsonIn<Figures>(run, 'metrics_val_last_weights.json');
    const figures = await evaluation('val_last', run, '--restore_file', 'last');
    expect(figures).to.include({ split: 'val', images: 30, accuracy });
    expect(figures.loss).to.be.closeTo(loss, 1e-6);
  });

  it('takes the images that were trained on', async () => {
    const figures = await evaluation('train_best', run, '--split', 'train');
    expect(figures).to.include({ split: 'train', images: 270 });
  });

  it('finds the student to be its own teacher', async () => {
    const path = join(run, 'best.safetensors');
    const taught = experiment(join(scratch, 'taught'), {
      ...changes,
      model_version: 'cnn_distill',
      teacher: { model: 'cnn', checkpoint: path, num_channels: 8 },
    });
    copyFileSync(path, join(taught, 'best.safetensors'));
    const { teacher, accuracy } = await evaluation('test_best', taught, '--split', 'test', '--temperature', '4.5');
    expect(teacher).to.deep.equal({ accuracy, agreement: 1, temperature: 4.5, kl_divergence: 0 });
    const name = 'test_temp4.5_soft_targets.svg';
    expect(readFileSync(join(taught, 'evaluation', name), 'utf8')).to.include('>teacher<');
  });

  it('leaves out a teacher whose logits are of other images', async () => {
    const teacher = { logits: 'none.npy' };
    const params = { ...changes, model_version: 'cnn_distill', augmentation: 'no', teacher };
    const cached = experiment(join(scratch, 'cached'), params);
    copyFileSync(join(run, 'best.safetensors'), join(cached, 'best.safetensors'));
    expect(await evaluation('test_best', cached, '--split', 'test')).not.to.have.property('teacher');
  });

  it('warns of a teacher that is gone, and evaluates without the comparison', async () => {
    const teacher = { model: 'cnn', checkpoint: 'gone.pth', num_channels: 8 };
    const alone = experiment(join(scratch, 'alone'), { ...changes, model_version: 'cnn_distill', teacher });
    copyFileSync(join(run, 'best.safetensors'), join(alone, 'best.safetensors'));
    const { stderr, exitCode } = await evaluate('--model_dir', alone, '--split', 'test');
    expect(stderr).to.equal('warning: gone.pth: no such file; the comparison with the teacher is skipped\n');
    expect(exitCode).to.equal(0);
    const found = readJsonIn<Evaluation>(join(alone, 'evaluation'), 'evaluation_test_best.json');
    expect(found).not.to.have.property('teacher');
    expect(found.accuracy).to.equal(figures.accuracy);
  });

  it('normalizes as "normalize" in params.json says', async () => {
    const normalize = { mean: [0.1, 0.2, 0.3], std: [0.5, 0.5, 0.5] };
    const other = experiment(join(scratch, 'other'), { ...changes, normalize });
    copyFileSync(join(run, 'best.safetensors'), join(other, 'best.safetensors'));
    const found = await evaluation('test_best', other, '--split', 'test');
    const { test, classes, shape } = makeShapes({ train: 1, test: 110, seed: 0 });
    const options = { classes: classes.length, numChannels: 8, dropoutRate: 0 };
    const { tensors } = readSafetensors(join(run, 'best.safetensors'));
    const model = { net: nets.cnn!.build, options, normalize, input: shape };
    const evaluator = await Evaluator.create(model, tensors, 1);
    const expected = await evaluator.evaluate(test, allOf(test));
    await evaluator.release();
    expect(found.loss).to.be.closeTo(expected.loss, 1e-5).and.not.closeTo(figures.loss, 1e-4);
  });

  it('says what weights are fed that the run did not write', async () => {
    const file = join(scratch, 'weights.safetensors');
    copyFileSync(join(run, 'best.safetensors'), file);
    const plain = experiment(join(scratch, 'plain'), changes);
    const { stderr } = await evaluate('--model_dir', plain, '--restore_file', file, '--split', 'test');
    expect(stderr).to.match(
      /^notice: .*weights\.safetensors is not from this run; images are normalized with the mean \[.*\n$/,
    );
    expect(stderr).to.match(/ of shapes; if it was trained with other values, set "normalize" in params\.json\n$/);
  });

  it('feeds an ONNX file as the teacher that it is, or by the keys of one', async () => {
    const teacher = { onnx: foreign, normalize: { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] } };
    const directory = experiment(join(scratch, 'itself'), { ...changes, model_version: 'cnn_distill', teacher });
    const same = await evaluation('test_open_batch', directory, '--split', 'test', '--onnx', foreign);
    expect(same.teacher).to.include({ agreement: 1, kl_divergence: 0 });
    const told = await evaluation('test_open_batch', directory, '--split', 'test', '--onnx', JSON.stringify(teacher));
    expect(told).to.deep.equal(same);
    const other = { ...teacher, normalize: { mean: [0, 0, 0], std: [1, 1, 1] } };
    const fed = await evaluation('test_open_batch', directory, '--split', 'test', '--onnx', JSON.stringify(other));
    expect(fed.teacher!.kl_divergence).to.be.greaterThan(0);
  });

  it('evaluates an ONNX file of any maker, fed as the data set is normalized', async () => {
    const directory = experiment(join(scratch, 'foreign'), changes);
    const figures = await evaluation('test_open_batch', directory, '--split', 'test', '--onnx', foreign);
    const { test, normalize } = makeShapes({ train: 1, test: 110, seed: 0 });
    const pixels = Float32Array.from(test.images, (pixel, i) => {
      const channel = Math.floor(i / 1024) % 3;
      return (pixel / 255 - normalize.mean[channel]!) / normalize.std[channel]!;
    });
    const session = await InferenceSession.create(foreign);
    const { logits } = await session.run({ images: new Tensor('float32', pixels, [110, 3, 32, 32]) });
    await session.release();
    const data = Array.from(logits!.data as Float32Array);
    const rows = Array.from({ length: 110 }, (_, i) => data.slice(10 * i, 10 * i + 10));
    const right = rows.filter((row, i) => row.indexOf(Math.max(...row)) === i % 10).length;
    const losses = rows.map((row, i) => Math.log(row.reduce((sum, z) => sum + Math.exp(z), 0)) - row[i % 10]!);
    expect(figures.accuracy).to.equal(right / 110);
    expect(figures.loss).to.be.closeTo(losses.reduce((sum, loss) => sum + loss, 0) / 110, 1e-5);
    expect(figures).to.include({ file: foreign, bytes: statSync(foreign).size });
    expect(figures).not.to.have.property('parameters');
  });

  describe('ends with one line', () => {
    const broken = join(scratch, 'broken.onnx');
    const cases: [string, () => string[], string, number][] = [
      ['without a directory', () => [], '--model_dir is missing: name the directory of an experiment', 2],
      ['for a missing directory', () => ['--model_dir', 'none'], 'none: no such directory', 1],
      [
        'for an unknown split',
        () => ['--model_dir', run, '--split', 'dev'],
        '--split must be one of val, test, train, got "dev"',
        2,
      ],
      [
        'for a temperature of 0',
        () => ['--model_dir', run, '--temperature', '0'],
        '--temperature must be greater than 0, got 0',
        2,
      ],
      [
        'for an output that is neither logits nor probabilities',
        () => ['--model_dir', run, '--output', 'scores'],
        '--output must be one of logits, probabilities, got "scores"',
        2,
      ],
      [
        'for an ONNX file whose keys are not those of a teacher',
        () => ['--model_dir', run, '--onnx', '{"onnx": "a.onnx", "layout": "HWC"}'],
        '--onnx: "layout" must be one of "NCHW", "NHWC", "NHW", "N(CHW)", "N(HWC)", got "HWC"',
        2,
      ],
      [
        'for a checkpoint in place of an ONNX file',
        () => ['--model_dir', run, '--onnx', join(run, 'best.safetensors')],
        `${join(run, 'best.safetensors')}: not an ONNX model: it is a safetensors file: name its network too`,
        1,
      ],
      [
        'for a missing checkpoint',
        () => ['--model_dir', run, '--restore_file', 'first.pth'],
        'first.pth: no such file',
        1,
      ],
      [
        'where its folder cannot be made',
        () => {
          const directory = experiment(join(scratch, 'blocked'), changes);
          writeFileSync(join(directory, 'evaluation'), '');
          return ['--model_dir', directory, '--onnx', foreign];
        },
        `${join(scratch, 'blocked', 'evaluation')}: cannot be written: `,
        1,
      ],
      ['for a missing ONNX file', () => ['--model_dir', run, '--onnx', 'none.onnx'], 'none.onnx: no such file', 1],
      [
        'for a malformed ONNX file',
        () => {
          writeFileSync(broken, readFileSync(foreign).subarray(0, 5000));
          return ['--model_dir', run, '--onnx', broken];
        },
        `${broken}: not a valid ONNX model: `,
        1,
      ],
      [
        'for an ONNX file of something else',
        () => ['--model_dir', run, '--onnx', join(__dirname, 'fixtures', 'torch_export.onnx')],
        join(__dirname, 'fixtures', 'torch_export.onnx'),
        1,
      ],
    ];
    let endings: Ended[];
    before(async () => {
      endings = await Promise.all(cases.map(([, args]) => evaluate(...args())));
    });
    cases.forEach(([name, , message, code], i) => {
      it(name, () => {
        const { exitCode, stderr } = endings[i]!;
        const lines = withoutNotices(stderr);
        expect(lines.startsWith(`error: ${message}`), stderr).to.equal(true);
        expect(lines.match(/\n/g), stderr).to.have.length(1);
        expect(exitCode).to.equal(code);
      });
    });
  });
});

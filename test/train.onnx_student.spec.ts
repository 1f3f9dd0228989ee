/** train.ts with a student from an ONNX file: what it begins with, goes on with, and refuses. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { readOnnxWeights } from '../engine/onnx/weights';
import { ndarray } from '../formats/ndarray';
import { readNpy } from '../formats/npy';
import { readSafetensors, writeSafetensors } from '../formats/safetensors';
import { makeShapes } from '../model/data/sets/shapes';
import { digestOfFile } from '../runs/provenance';
import { UserError } from '../utils/errors';
import { experiment, readJsonIn, runScript } from './helpers/train';
import { trainHere } from './helpers/train_here';

const fixtures = join(__dirname, 'fixtures', 'foreign_students');
const root = join(__dirname, '..');

/**
 * The largest difference of logits from those of torchvision's network with these weights: as a share of the largest logit,
 * and of how much the logits of the images differ.
 */
const inPytorch = `
import sys, numpy, torch
from safetensors.torch import load_file
from torchvision.models.mobilenetv3 import InvertedResidualConfig as Row, MobileNetV3
rows = [Row(8, 3, 8, 8, True, "RE", 2, 1, 1.0), Row(8, 5, 16, 12, True, "HS", 2, 1, 1.0), Row(12, 3, 24, 12, False, "HS", 1, 1, 1.0)]
model = MobileNetV3(rows, 24, num_classes=10)
model.load_state_dict(load_file(sys.argv[1]), strict=True)
logits = model.eval()(load_file(sys.argv[2])["images"]).detach().numpy()
kept = numpy.load(sys.argv[3])
print(numpy.abs(logits - kept).max() / numpy.abs(kept).max(), numpy.abs(logits - kept).max() / numpy.ptp(kept, axis=0).max())`;

const changes = { dataset: { name: 'shapes', train: 40, test: 10 }, batch_size: 18, method: 'nokd' };

describe('train.ts with a student from an ONNX file', function () {
  this.timeout(60_000);
  let scratch: string;
  let file: string;
  before(() => {
    scratch = mkdtempSync(join(tmpdir(), 'onnx-student-'));
    file = join(scratch, 'mobilenet.onnx');
    copyFileSync(join(fixtures, 'tiny_mobilenet.onnx'), file);
  });
  after(() => rmSync(scratch, { recursive: true }));

  async function run(
    name: string,
    params: object,
    epochs = 1,
  ): Promise<{ directory: string; error: unknown; log: string }> {
    const directory = experiment(join(scratch, name), {
      ...changes,
      model_version: file,
      num_epochs: epochs,
      ...params,
    });
    const { error } = await trainHere(['--model_dir', directory]);
    const log = join(directory, 'train.log');
    return { directory, error, log: existsSync(log) ? readFileSync(log, 'utf8') : '' };
  }
  const weightsOf = (directory: string) => readSafetensors(join(directory, 'last.safetensors')).tensors;

  it('begins with the values of the file, under its names and with the buffers of PyTorch', async () => {
    const { directory, error, log } = await run('file', { learning_rate: 1e-30, weight_decay: 0 });
    expect(error).to.equal(undefined);
    expect(log).to.include(
      `${file}: methods find stage1 [8, 16, 16], stage2 [16, 8, 8], stage3 [96, 4, 4], pooled [24]`,
    );
    const [kept, original] = [weightsOf(directory), readOnnxWeights(readFileSync(file), file)];
    const trained = [...original.keys()].filter((name) => /\.(weight|bias)$/.test(name));
    expect(trained).to.have.length.above(20);
    for (const name of trained) expect(kept.get(name)!.data, name).to.deep.equal(original.get(name)!.data);
    expect(Number(kept.get('features.0.1.num_batches_tracked')!.data[0])).to.equal(2);
    const { files } = JSON.parse(readFileSync(join(directory, 'run.json'), 'utf8')) as { files: object };
    expect(files).to.deep.equal({ student: { path: file, sha256: digestOfFile(file) } });
  });

  it('begins at random where that is asked for, by the seed', async () => {
    const random = { model_weights: 'random', learning_rate: 1e-30, weight_decay: 0 };
    const [one, same, other] = [
      await run('one', random),
      await run('same', random),
      await run('other', { ...random, seed: 7 }),
    ];
    const key = 'features.1.block.1.fc1.weight';
    const [a, b, c] = [one, same, other].map(({ directory }) => weightsOf(directory).get(key)!.data);
    expect(a).to.deep.equal(b);
    expect(a).not.to.deep.equal(c);
    expect(weightsOf(one.directory).get('features.0.1.weight')!.data).to.satisfy((data: Float32Array) =>
      data.every((value) => value === 1),
    );
  });

  it('goes on to the same bytes, distilled from maps of a teacher', async () => {
    const taught = {
      method: ['kd', 'at'],
      teacher: { model: 'cnn', num_channels: 4, checkpoint: join(scratch, 'teacher', 'best.safetensors') },
    };
    await run('teacher', { model_version: 'cnn', num_channels: 4 });
    const whole = await run('whole', taught, 2);
    expect(String(whole.error)).to.equal('undefined');
    const { directory } = await run('parts', taught, 1);
    const path = join(directory, 'params.json');
    writeFileSync(path, JSON.stringify({ ...(JSON.parse(readFileSync(path, 'utf8')) as object), num_epochs: 2 }));
    expect((await trainHere(['--model_dir', directory])).error).to.equal(undefined);
    expect(readFileSync(join(directory, 'last.safetensors'))).to.deep.equal(
      readFileSync(join(whole.directory, 'last.safetensors')),
    );
  });

  it('is exported again with the same logits, and its weights open in PyTorch under its names', async function () {
    const { directory } = await run(
      'trained',
      { learning_rate: 0.02, optimizer: 'adam', dataset: { name: 'shapes', train: 200, test: 20 } },
      6,
    );
    const exported = await runScript('export.ts', root, ['--model_dir', directory]);
    expect(exported.exitCode, exported.stderr).to.equal(0);
    const written = await runScript('generate_logits.ts', root, ['--model_dir', directory]);
    expect(written.exitCode, written.stderr).to.equal(0);
    const logits = readNpy(join(directory, 'test_logits.npy'));
    const values = Array.from(logits.data as Float32Array);
    const largest = Math.max(...values.map(Math.abs));
    const { float32 } = readJsonIn<{ float32: { largest_difference: number } }>(directory, 'export.json');
    expect(float32.largest_difference).to.be.below(1e-5 * largest);

    const python = [process.env.PYTHON, 'python3'].find(
      (name) => name && spawnSync(name, ['-c', 'import torchvision, safetensors']).status === 0,
    );
    if (python === undefined) return this.skip();
    const { test, normalize } = makeShapes({ train: 200, test: 20, seed: 0 });
    const plane = 32 * 32;
    const pixels = Float32Array.from(test.images, (value, i) => {
      const channel = Math.floor(i / plane) % 3;
      return (value / 255 - normalize.mean[channel]!) / normalize.std[channel]!;
    });
    const images = join(scratch, 'images.safetensors');
    writeSafetensors(images, new Map([['images', ndarray('float32', [test.size, 3, 32, 32], pixels)]]));
    const { status, stdout, stderr } = spawnSync(
      python,
      ['-c', inPytorch, join(directory, 'best.safetensors'), images, join(directory, 'test_logits.npy')],
      { encoding: 'utf8' },
    );
    expect(status, stderr).to.equal(0);
    const [ofLargest, ofSpread] = stdout.split(' ').map(Number);
    expect(ofLargest).to.be.below(1e-5);
    expect(ofSpread).to.be.below(1e-3);
  });

  it('does not go on with another file', async () => {
    const { directory } = await run('changed', {});
    copyFileSync(join(fixtures, 'tiny_convnext.onnx'), file);
    const path = join(directory, 'params.json');
    writeFileSync(path, JSON.stringify({ ...(JSON.parse(readFileSync(path, 'utf8')) as object), num_epochs: 2 }));
    const { error } = await trainHere(['--model_dir', directory]);
    copyFileSync(join(fixtures, 'tiny_mobilenet.onnx'), file);
    expect(error).to.be.instanceOf(UserError);
    expect((error as UserError).message).to.include(`${file} is not the student`);
  });

  it('refuses a file that is not there in one line', async () => {
    const { error } = await run('classes', {
      dataset: { name: 'shapes', train: 40, test: 10 },
      model_version: join(scratch, 'absent.onnx'),
    });
    expect((error as UserError).message).to.equal(`${join(scratch, 'absent.onnx')}: no such file`);
  });
});

/** train.ts with a student from an ONNX file: what it begins with, goes on with, and refuses. */
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { readOnnxWeights } from '../engine/onnx/weights';
import { readSafetensors } from '../formats/safetensors';
import { digestOfFile } from '../runs/provenance';
import { UserError } from '../utils/errors';
import { experiment } from './helpers/train';
import { trainHere } from './helpers/train_here';

const fixtures = join(__dirname, 'fixtures', 'foreign_students');
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

/** train.ts on TensorFlow.js, with a teacher there as well: the files of a run on the CPU, and the promises of any run. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { experiment, results, train, writeInitialWeights, type Kill } from './helpers/train';

describe('train.ts on TensorFlow.js', function () {
  this.timeout(120_000);
  const scratch = mkdtempSync(join(tmpdir(), 'train-tensorflow-'));
  before(() => writeInitialWeights(join(scratch, 'teacher.safetensors'), 'cnn', 4));
  after(() => rmSync(scratch, { recursive: true }));

  /** SGD: Adam would make steps of rounding errors, which gradients of biases before BatchNorm are. */
  const directory = (name: string, device: string): string =>
    experiment(join(scratch, name), {
      model_version: 'simplenet_distill',
      teacher: { model: 'cnn', num_channels: 4, checkpoint: join(scratch, 'teacher.safetensors') },
      dataset: { name: 'shapes', train: 30, test: 5 },
      batch_size: 8,
      optimizer: 'sgd',
      num_epochs: 2,
      device,
    });

  async function run(path: string, kill?: Kill): Promise<string> {
    const { exitCode, stdout, stderr } = await train(scratch, ['--model_dir', path], kill);
    expect(exitCode, stderr).to.equal(kill ? 143 : 0);
    return stdout;
  }

  it('gives what the CPU gives, and goes on to the bit where it was interrupted', async () => {
    const [whole, interrupted, onCpu] = [
      directory('whole', 'tensorflow'),
      directory('interrupted', 'tensorflow'),
      directory('cpu', 'cpu'),
    ];
    const [said] = await Promise.all([
      run(whole),
      run(interrupted, { after: 'Epoch 2', signal: 'SIGTERM' }).then(() => run(interrupted)),
      run(onCpu),
    ]);
    expect(said).to.match(/Device: TensorFlow.js 4/);
    expect(results(interrupted)).to.deep.equal(results(whole));
    expect(Object.keys(results(whole))).to.deep.equal(Object.keys(results(onCpu)));
    const read = (path: string) =>
      readFileSync(join(path, 'metrics.jsonl'), 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<'train' | 'val', Record<string, number>>);
    const expected = read(onCpu);
    read(whole).forEach((record, epoch) => {
      for (const part of ['train', 'val'] as const) {
        for (const [name, value] of Object.entries(expected[epoch]![part])) {
          expect(record[part][name], `${part} ${name}`).to.be.closeTo(value, 1e-4 * Math.abs(value));
        }
      }
    });
  });
});

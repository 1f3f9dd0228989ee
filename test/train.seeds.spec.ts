/** Students of one repeat: the same start, order and augmentation by every method, so that their differences are paired. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { NamedArrays } from '../formats/ndarray';
import { readSafetensors } from '../formats/safetensors';
import type { EpochRecord } from '../runs/metrics';
import { readPredictions, type Predictions } from '../runs/predictions';
import { experiment, train, writeInitialWeights } from './helpers/train';

describe('the seed of a repeat', function () {
  this.timeout(120_000);
  const scratch = mkdtempSync(join(tmpdir(), 'seeds-'));
  after(() => rmSync(scratch, { recursive: true }));

  interface Student {
    readonly weights: NamedArrays;
    readonly history: readonly EpochRecord[];
    readonly val: Predictions;
  }
  const students = new Map<string, Student>();
  const student = (name: string) => students.get(name)!;

  before(async () => {
    const teacher = { model: 'cnn', num_channels: 8, checkpoint: join(scratch, 'teacher.safetensors') };
    writeInitialWeights(teacher.checkpoint, 'cnn', 8);
    // With a learning rate that is 0 in float32 the parameters stay what they were at first, but the running statistics of BatchNorm
    // follow the images: their values depend on which images came when, and how they were augmented.
    const frozen = {
      learning_rate: 1e-46,
      optimizer: 'sgd',
      schedule: { type: 'constant' },
      dropout_rate: 0.5,
      num_epochs: 2,
    };
    const taught = { ...frozen, model_version: 'cnn_distill', teacher };
    const runs: Record<string, object> = {
      alone: frozen,
      kd: { ...taught, alpha: 0.5 },
      dkd: { ...taught, method: 'dkd' },
      // With layers of its own beside the student.
      fitnet: { ...taught, method: 'fitnet' },
      crd: { ...taught, method: 'crd' },
      'another seed': { ...frozen, seed: 231 },
    };
    for (const [name, params] of Object.entries(runs)) {
      const path = experiment(join(scratch, name), params);
      const { exitCode, stderr } = await train(scratch, ['--model_dir', path]);
      expect(stderr).to.equal('');
      expect(exitCode).to.equal(0);
      const lines = readFileSync(join(path, 'metrics.jsonl'), 'utf8').split('\n').filter(Boolean);
      students.set(name, {
        weights: readSafetensors(join(path, 'best.safetensors')).tensors,
        history: lines.map((line) => JSON.parse(line) as EpochRecord),
        val: readPredictions(join(path, 'predictions_val.safetensors')),
      });
    }
  });

  for (const method of ['kd', 'dkd', 'fitnet', 'crd']) {
    it(`gives a student of ${method} the weights, images, dropout and validation part of one alone`, () => {
      const [taught, alone] = [student(method), student('alone')];
      expect([...taught.weights.keys()]).to.include('bn1.running_var');
      expect(taught.weights).to.deep.equal(alone.weights);
      expect(taught.history.map(({ train }) => train.accuracy)).to.deep.equal(
        alone.history.map(({ train }) => train.accuracy),
      );
      expect(taught.val).to.deep.equal(alone.val);
    });
  }

  it('gives others where it is another one', () => {
    const [other, alone] = [student('another seed'), student('alone')];
    for (const name of ['conv1.weight', 'bn1.running_mean'])
      expect(other.weights.get(name), name).not.to.deep.equal(alone.weights.get(name));
    expect(other.val.indices).not.to.deep.equal(alone.val.indices);
  });
});

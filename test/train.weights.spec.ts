/** What train.ts says and does with weights of others, and of what they were trained with. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { State } from '../engine/session';
import { writeSafetensors } from '../formats/safetensors';
import { makeShapes } from '../model/data/sets/shapes';
import { nets } from '../model/nets';
import { evaluationGraph } from '../model/nets/model';
import { UserError } from '../utils/errors';
import { experiment } from './helpers/train';
import { trainHere } from './helpers/train_here';

const changes = { dataset: { name: 'shapes', train: 40, test: 10 }, num_channels: 2, batch_size: 18 };

describe('train.ts with weights of others', function () {
  this.timeout(60_000);
  const scratch = mkdtempSync(join(tmpdir(), 'weights-'));
  after(() => rmSync(scratch, { recursive: true }));

  const ema = join(scratch, 'ema.safetensors');
  before(() => {
    const { shape, normalize } = makeShapes({ train: 1, test: 1, seed: 0 });
    const options = { classes: 10, numChannels: 2, dropoutRate: 0 };
    const weights = State.initial(evaluationGraph({ net: nets.cnn!.build, options, normalize, input: shape })).arrays();
    writeSafetensors(ema, new Map([...weights].map(([name, array]) => [`ema.module.${name}`, array])));
  });

  /** Trains, which must end well, and returns the log and the metrics of the epoch. */
  async function trained(name: string, params: object): Promise<{ log: string; metrics: string }> {
    const run = experiment(join(scratch, name), { ...changes, ...params });
    const { error } = await trainHere(['--model_dir', run]);
    expect(error).to.equal(undefined);
    return {
      log: readFileSync(join(run, 'train.log'), 'utf8'),
      metrics: readFileSync(join(run, 'metrics.jsonl'), 'utf8'),
    };
  }

  it('says what names lose and by what the images are normalized, unless params.json does', async () => {
    const plain = await trained('plain', { init: { checkpoint: ema } });
    expect(plain.log).to.include(`:INFO: ${ema}: removes the prefix "ema." from names\n`);
    expect(plain.log).to.include(`:INFO: ${ema} is not from this run; images are normalized with the mean [`);
    const { normalize } = makeShapes({ train: 1, test: 1, seed: 0 });
    const same = await trained('same', { init: { checkpoint: ema }, normalize });
    expect(same.log).not.to.include('is not of this run');
    expect(same.metrics).to.equal(plain.metrics);
    const other = { mean: normalize.mean, std: normalize.std.map((value) => value / 2) };
    expect((await trained('other', { init: { checkpoint: ema }, normalize: other })).metrics).not.to.equal(
      plain.metrics,
    );
  });

  it('judges a teacher that is fed otherwise than it was trained, before the first step', async () => {
    const checkpoint = join(__dirname, '..', 'experiments', 'quickstart', 'teacher', 'best.safetensors');
    const taught = {
      model_version: 'cnn_distill',
      dataset: { name: 'shapes', train: 300, test: 10 },
      batch_size: 75,
    };
    const teacher = { model: 'resnet20', checkpoint };
    const wrong = { mean: [5, 5, 5], std: [1, 1, 1] };
    const lineOf = ({ log }: { log: string }) => /:(INFO|WARNING): Teacher .*\n(?=[^]*Epoch 1\/1)/.exec(log)?.[0];
    const part = { ...taught, validation: 0.5 };
    expect(lineOf(await trained('right', { ...part, teacher }))).to.match(
      /^:INFO: .*quickstart.*: agrees with the labels of (9\d|100)\.\d % of 150 images\n$/,
    );
    expect(lineOf(await trained('wrong', { ...part, teacher: { ...teacher, normalize: wrong } }))).to.match(
      /^:WARNING: .* of [1-4]?\d\.\d % of 150 images; suspiciously low: check "normalize" and the order /,
    );
  });

  it('refuses a batch of one image where a BatchNorm would see one value per channel', async () => {
    for (const [name, batch_size] of Object.entries({ ones: 1, rest: 35 })) {
      const run = experiment(join(scratch, name), { ...changes, batch_size });
      const { error } = await trainHere(['--model_dir', run]);
      expect(error, name).to.be.instanceOf(UserError);
      expect((error as UserError).message).to.match(
        /params\.json: "batch_size": the BatchNorm "fcbn1" needs more than one value per channel when training, got a batch of 1 image; /,
      );
    }
    await trained('resnet', {
      model_version: 'resnet8',
      batch_size: 1,
      dataset: { name: 'shapes', train: 12, test: 2 },
      validation: 0.5,
    });
  });

  it('refuses a normalization of other channels', async () => {
    const run = experiment(join(scratch, 'gray'), { ...changes, normalize: { mean: [0.5], std: [0.5] } });
    const { error } = await trainHere(['--model_dir', run]);
    expect((error as UserError).message).to.equal(
      'params.json: "normalize.mean" is [0.5], accepted is an array of 3, one number for each channel of the images of shapes',
    );
  });
});

/** Tests okddip, mean_teacher and bann: model/distillers/online/ and model/distillers/self/. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { sgd } from '../../../engine/optimizers';
import { batches } from '../../../model/data/loader';
import { makeShapes } from '../../../model/data/sets/shapes';
import { averageDecay } from '../../../model/distillers/online/mean_teacher';
import { located } from '../../../model/experiment/own_paths';
import { plannedRuns } from '../../../model/experiment/stages';
import { nets } from '../../../model/nets';
import type { Model } from '../../../model/nets/model';
import { Trainer } from '../../../model/training/trainer';
import { writeJson } from '../../../utils/files';
import oracle from '../../fixtures/distillers_online.json';
import { agreesWithOracle, refuses } from '../../helpers/distillers';
import { method, trainingOptions } from '../../helpers/training';

const N = 8;
const logits = [N, 5];
const student = { stage1: [N, 4, 6, 6], stage2: [N, 6, 3, 3], pooled: [N, 16], logits };

describe('students among peers agree with PyTorch', () =>
  agreesWithOracle(
    {
      okddip: { method: 'okddip', student },
      'okddip of two peers': {
        method: 'okddip',
        options: { peers: 2, temperature: 1, weight: 0.3, ramp_up: 0, factor: 4 },
        student,
      },
      mean_teacher: { method: 'mean_teacher', student: { logits } },
      'mean_teacher with another policy': {
        method: 'mean_teacher',
        options: { weight: 3, ramp_up: 0, policy: 'flip' },
        student: { logits },
      },
    },
    oracle,
  ));

describe('peers', () => {
  it('okddip of a student with one stage is refused', () =>
    refuses(
      { method: 'okddip', student: { stage1: [N, 4, 6, 6], logits } },
      'okddip: the student needs two stages, and has stage1, logits',
    ));

  it("mean_teacher's teacher is the mean of all weights so far, and then a moving average", async () => {
    [0, 1 / 2, 2 / 3, 0.7].forEach((share, i) =>
      expect(averageDecay(0.7, { step: i + 1 })).to.be.closeTo(share, 1e-12),
    );
    const micro = (update: number, isFirst: boolean) => ({ update, isFirst, isLast: !isFirst, share: 0.5 });
    expect(averageDecay(0.7, { step: 3, micro: micro(2, true) })).to.equal(0.5);
    expect(averageDecay(0.7, { step: 4, micro: micro(2, false) })).to.equal(1);

    const dataset = makeShapes({ train: N, test: 1, seed: 3 });
    const model: Model = {
      net: nets.mlp!.build,
      options: { classes: 10, numChannels: 2, hiddenSizes: [4], dropoutRate: 0 },
      normalize: dataset.normalize,
      input: dataset.shape,
    };
    const methods = [method('mean_teacher')];
    const trainer = Trainer.create(model, [N], { ...trainingOptions(sgd(), N, { methods }), threads: 1 });
    const pass = { shape: dataset.shape, batchSize: N, seed: 5, epoch: 1, shuffle: false, augment: false };
    const indices = Uint32Array.from({ length: N }, (_, i) => i);
    const [batch] = [...batches(dataset.train, indices, { ...pass, views: trainer.views })];
    const name = 'fc1.weight';
    const before: number[][] = [];
    for (let step = 1; step <= 3; step++) {
      before.push(Array.from(trainer.state.get(name).data, Number));
      await trainer.step(batch!, { step, epoch: 1, epochs: 2, learningRate: 0.1 });
      const average = Array.from(trainer.state.get(`distiller.mean_teacher.average.${name}`).data, Number);
      average.forEach((value, i) =>
        expect(value).to.be.closeTo(before.reduce((sum, weights) => sum + weights[i]!, 0) / step, 1e-6),
      );
    }
    expect(before[0]).to.not.deep.equal(before[2]);
    await trainer.release();
  });
});

describe('bann', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bann-'));
  after(() => rmSync(folder, { recursive: true }));

  it('hands the net down from generation to generation, the labels first', () => {
    const params = { model_version: 'resnet8', learning_rate: 0.1, num_epochs: 2, alpha: 0.2, temperature: 4 };
    const bann = { name: 'bann', generations: 2, alpha: 0.7 };
    writeJson(join(folder, 'params.json'), { ...params, method: [bann, 'cskd'] });
    const planned = plannedRuns(folder);
    const directories = [join(folder, 'stages', '1_generation_0'), join(folder, 'stages', '2_generation_1'), folder];
    expect(planned.map(({ directory }) => directory)).to.deep.equal(directories);
    const runs = planned.map((run) => located(run.params, run.directory));
    expect(runs.map(({ method: methods }) => methods.map(({ name }) => name))).to.deep.equal([
      ['nokd', 'cskd'],
      ['kd', 'cskd'],
      ['kd', 'cskd'],
    ]);
    expect(runs[0]!.teacher).to.equal('none');
    for (const [i, run] of runs.slice(1).entries()) {
      expect(run).to.include({ model_version: 'resnet8', alpha: 0.7, temperature: 1, seed: runs[0]!.seed });
      expect(run.teacher).to.include({ model: 'resnet8', checkpoint: join(directories[i]!, 'best.safetensors') });
    }
  });
});

/** Tests methods that see images through another augmentation: model/distillers/ and model/training/. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { sgd } from '../../../engine/optimizers';
import { State } from '../../../engine/session';
import { ndarray } from '../../../formats/ndarray';
import { batches } from '../../../model/data/loader';
import { makeShapes } from '../../../model/data/sets/shapes';
import { distillers, type Distiller } from '../../../model/distillers';
import { kdLoss } from '../../../model/distillers/logits/kd';
import { located } from '../../../model/experiment/own_paths';
import { plannedRuns } from '../../../model/experiment/stages';
import { nets } from '../../../model/nets';
import type { Model } from '../../../model/nets/model';
import { evaluationGraph } from '../../../model/nets/model';
import type { Teacher } from '../../../model/teachers';
import { Trainer } from '../../../model/training/trainer';
import { UserError } from '../../../utils/errors';
import { writeJson } from '../../../utils/files';
import oracle from '../../fixtures/distillers_views.json';
import { agreesWithOracle, lossesOf } from '../../helpers/distillers';
import { method, trainingOptions } from '../../helpers/training';

const logits = { logits: [8, 5] };
const pair = { student: logits, teacher: logits };

const uda = { method: 'uda', ...pair };
const kdOptions = { weight: 1, standardize: false, focal: false };
const datafree = { method: 'data_free', options: { noise_dim: 6 }, student: { logits: [4, 5] } };
const made = { method: 'dataset_distillation', options: { images: 6 }, student: logits };

describe('uda, dml, takd and the games without data agree with PyTorch', () =>
  agreesWithOracle(
    {
      uda: { ...uda, views: ['autoaugment'] },
      'uda with another policy, alpha and temperature': {
        ...uda,
        options: { policy: 'crop+flip' },
        views: ['crop+flip'],
        alpha: 0.4,
        temperature: 1,
      },
      dml: { method: 'dml', student: logits, peer: logits },
      'dml with another weight': { method: 'dml', options: { weight: 0.3 }, student: logits, peer: logits },
      takd: { method: 'takd', ...pair, alpha: 0.7, temperature: 3 },
      'datafree, turn of the generator': { ...datafree, phase: 0 },
      'datafree, turn of the student': { ...datafree, phase: 1 },
      'dataset, turn of the images': { ...made, phase: 0 },
      'dataset, turn of the images within a range': { ...made, options: { images: 6, range: [-1, 2] }, phase: 0 },
      'dataset, turn of the student': { ...made, phase: 1 },
    },
    oracle,
  ));

const dataset = makeShapes({ train: 16, test: 1, seed: 3 });
const model: Model = {
  net: nets.resnet8!.build,
  options: { classes: 10, numChannels: 32, dropoutRate: 0 },
  normalize: dataset.normalize,
  input: dataset.shape,
};
const other: Model = { ...model, net: nets.resnet14!.build };
const all = Uint32Array.from({ length: 16 }, (_, i) => i);
const pass = { shape: dataset.shape, batchSize: 16, seed: 5, epoch: 1, shuffle: true, augment: true };
const moment = { step: 1, epoch: 1, epochs: 2, learningRate: 0.05 };

/** A teacher whose logits are the first pixels of the images, and another network of ours. */
function pixelTeacher(): Teacher & { readonly asked: Uint8Array[] } {
  const asked: Uint8Array[] = [];
  const outputs: Teacher['outputs'] = ({ images, size }) => {
    asked.push(images);
    const data = Float32Array.from({ length: size * 10 }, (_, i) => images[Math.floor(i / 10) * 3072 + (i % 10)]! / 99);
    return Promise.resolve({ logits: ndarray('float32', [size, 10], data) });
  };
  return {
    asked,
    shapes: new Map([['logits', [10]]]),
    network: { model: other, weights: State.initial(evaluationGraph(other)).arrays() },
    logits: async (batch) => (await outputs(batch, ['logits'])).logits!,
    outputs,
    release: () => Promise.resolve(),
  };
}

function trainerOf(name: string, options: object, teacher?: Teacher): Trainer {
  return Trainer.create(model, [16], {
    ...trainingOptions(sgd(), 16, { methods: [method(name, options)] }),
    teacher,
    threads: 1,
  });
}

describe('uda', () => {
  it('shows student and teacher the images and the view of them, and the statistics of the student both', async () => {
    const teacher = pixelTeacher();
    const trainer = trainerOf('uda', { policy: 'autoaugment' }, teacher);
    expect(trainer.views).to.deep.equal(['autoaugment']);
    const [batch] = batches(dataset.train, all, { ...pass, views: trainer.views });
    await trainer.step(batch!, moment);
    expect(teacher.asked).to.deep.equal([batch!.images, batch!.views!.autoaugment]);
    expect(trainer.state.get('bn1.num_batches_tracked').data[0]).to.equal(2n);
    await trainer.release();
  });
});

describe('a method whose teacher alone sees another view', () => {
  it('asks the teacher about that view, and shows the student the images', async () => {
    const teacher = pixelTeacher();
    const distiller: Distiller = {
      title: 'soft targets of another view',
      options: {},
      needsTeacher: true,
      needsViews: true,
      includesCrossEntropy: true,
      losses: (context) => ({
        kd: kdLoss(context.student.logits, context.view('flip').teacher.logits, 4, 'batchmean'),
      }),
    };
    const trainer = Trainer.create(model, [16], {
      ...trainingOptions(sgd(), 16, { methods: [{ name: 'own', distiller, options: {} }] }),
      teacher,
      threads: 1,
    });
    expect(trainer.views).to.deep.equal(['flip']);
    const [batch] = batches(dataset.train, all, { ...pass, views: trainer.views });
    await trainer.step(batch!, moment);
    expect(teacher.asked).to.deep.equal([batch!.views!.flip]);
    expect(trainer.state.get('bn1.num_batches_tracked').data[0]).to.equal(1n);
    await trainer.release();
  });
});

describe('dml', () => {
  it('trains both nets, of which the student alone is its weights', async () => {
    const trainer = trainerOf('dml', { peer: 'cnn', weight: 1 });
    const before = new Map([...trainer.state.arrays()].map(([name, { data }]) => [name, data.slice()]));
    const [batch] = batches(dataset.train, all, pass);
    await trainer.step(batch!, moment);
    const changed = [...trainer.state.arrays()].filter(([name, { data }]) =>
      data.some((v, i) => v !== before.get(name)![i]),
    );
    const names = changed.map(([name]) => name);
    expect(names).to.include.members(['distiller.dml.peer.conv1.weight', 'conv1.weight']);
    expect([...trainer.weights().keys()].some((name) => name.startsWith('distiller.'))).to.equal(false);
    await trainer.release();
  });
});

describe('takd', () => {
  let folder: string;
  before(() => (folder = mkdtempSync(join(tmpdir(), 'takd-'))));
  after(() => rmSync(folder, { recursive: true }));

  const runs = (changes: object) => {
    const directory = join(folder, 'run');
    mkdirSync(directory, { recursive: true });
    const common = { model_version: 'resnet8_distill', learning_rate: 0.1, num_epochs: 2, teacher: 'resnet56' };
    writeJson(join(directory, 'params.json'), { ...common, ...changes });
    return { directory, planned: plannedRuns(directory) };
  };

  it('trains assistants by the optimizer and the schedule of the student', () => {
    const [assistant, student] = runs({ model_version: 'cnn_distill', method: 'takd' }).planned.map(
      (run) => run.params,
    );
    expect([assistant!.model_version, assistant!.optimizer]).to.deep.equal(['resnet20_distill', 'adam']);
    expect(assistant!.schedule).to.deep.equal(student!.schedule);
  });

  it('hands down from the teacher over each assistant to the student', () => {
    const takd = { name: 'takd', assistants: ['resnet32', 'resnet14'] };
    const { directory, planned } = runs({ method: takd, init: { checkpoint: 'x' }, alpha: 0.3 });
    expect(planned.map((run) => run.directory)).to.deep.equal([
      join(directory, 'stages', '1_resnet32'),
      join(directory, 'stages', '2_resnet14'),
      directory,
    ]);
    const params = planned.map((run) => located(run.params, run.directory));
    expect(params.map((one) => one.model_version)).to.deep.equal([
      'resnet32_distill',
      'resnet14_distill',
      'resnet8_distill',
    ]);
    expect(params.map((one) => one.method.map(({ name }) => name))).to.deep.equal([['kd'], ['kd'], ['takd']]);
    expect(params[0]!.teacher).to.include({ model: 'resnet56' }).and.not.have.property('checkpoint');
    for (const [i, net] of ['resnet32', 'resnet14'].entries()) {
      expect(params[i + 1]!.teacher).to.include({
        model: net,
        checkpoint: join(planned[i]!.directory, 'best.safetensors'),
      });
    }
    expect(params.map((one) => one.init)).to.deep.equal([undefined, undefined, { checkpoint: 'x' }]);
    expect(params.map((one) => one.alpha)).to.deep.equal([0.3, 0.3, 0.3]);
  });

  it('keeps the options of its soft term and the methods beside it in every run', () => {
    const { planned } = runs({ method: [{ name: 'takd', assistants: ['resnet20'], focal: true }, 'at'] });
    const [assistant, student] = planned.map((run) => run.params.method);
    expect(assistant!.map(({ name }) => name)).to.deep.equal(['kd', 'at']);
    expect(assistant![0]).to.deep.equal({ ...kdOptions, name: 'kd', focal: true });
    expect(student!.map(({ name }) => name)).to.deep.equal(['takd', 'at']);
  });

  it('refuses what is not a net', () => {
    expect(() => runs({ method: { name: 'takd', assistants: ['resnet21'] } })).to.throw(
      UserError,
      'did you mean "resnet2',
    );
  });
});

for (const [name, options] of [
  ['data_free', { noise_dim: 8, generator_steps: 1, student_steps: 2, generator_rate: 1 }],
  ['dataset_distillation', { images: 8, image_steps: 1, student_steps: 2, image_rate: 1 }],
] as const) {
  describe(name, () => {
    it('takes turns: each trains its own side and leaves the other as it was', async function () {
      this.timeout(30_000);
      const trainer = trainerOf(name, options, pixelTeacher());
      const isBeside = (state: string) => state.startsWith(`distiller.${distillers[name]!.stateName}.`);
      const [batch] = batches(dataset.train, all, pass);
      for (let step = 1; step <= 4; step++) {
        const before = new Map([...trainer.state.arrays()].map(([key, { data }]) => [key, data.slice()]));
        const results = await trainer.step(batch!, { ...moment, step });
        const isTurnOfImages = (step - 1) % 3 === 0;
        expect(results).to.not.have.property('correct');
        for (const [state, { data }] of trainer.state.arrays()) {
          if (isBeside(state) && /running|tracked/.test(state)) continue;
          const isChanged = data.some((value, i) => value !== before.get(state)![i]);
          expect(isChanged, `${state} in step ${step}`).to.equal(isBeside(state) === isTurnOfImages);
        }
      }
      await trainer.release();
    });

    it('scales the learning rate of the images alone', async function () {
      this.timeout(30_000);
      const [rate] = Object.keys(distillers[name]!.options).filter((key) => key.endsWith('_rate'));
      const moved = async (factor: number) => {
        const trainer = trainerOf(name, { ...options, [rate!]: factor }, pixelTeacher());
        const parameter = name === 'data_free' ? 'distiller.datafree.conv3.weight' : 'distiller.dataset.images';
        const before = (trainer.state.get(parameter).data as Float32Array).slice();
        const [batch] = batches(dataset.train, all, pass);
        await trainer.step(batch!, moment);
        const after = trainer.state.get(parameter).data as Float32Array;
        const moves = Array.from(after, (value, i) => Math.abs(value - before[i]!));
        const distance = Math.max(...moves.slice(0, 1000));
        await trainer.release();
        return distance;
      };
      const [one, ten] = [await moved(1), await moved(10)];
      expect(ten / one).to.be.closeTo(10, 0.05);
    });
  });
}

describe('games without data', () => {
  it('have nothing to play for where student and teacher are the same', async () => {
    for (const name of ['data_free', 'dataset_distillation']) {
      const distiller: Distiller = distillers[name]!;
      expect(distiller.needsTeacher).to.equal(true);
      expect(
        distiller.phases!({ generator_steps: 3, image_steps: 3, student_steps: 4 }).map(({ steps }) => steps),
      ).to.deep.equal([3, 4]);
    }
    const { losses, grads } = await lossesOf({ ...uda, views: ['autoaugment'], range: [0, 0] });
    expect(losses.kd).to.be.closeTo(0, 1e-6);
    expect(
      Object.values(grads)
        .flatMap(({ data }) => [...data])
        .every((value) => Number.isFinite(value)),
    ).to.equal(true);
  });
});

/** Steps of training: whose turn it is, what they are fed, and what of their state is the student's. */
import { expect } from 'chai';
import { constant } from '../../../engine/initializers';
import { mean, mul, relu, flatten, square, sub, sum } from '../../../engine/ops/index';
import { adam, sgd, type Optimizer } from '../../../engine/optimizers/index';
import { bytesOf, ndarray } from '../../../formats/ndarray';
import type { Batch } from '../../../model/data/loader';
import type { Distiller, Phase } from '../../../model/distillers/index';
import type { Net } from '../../../model/nets/index';
import type { Model } from '../../../model/nets/model';
import { ensemble } from '../../../model/teachers/ensemble';
import type { Teacher } from '../../../model/teachers/index';
import { microBatch } from '../../../model/training/gradient_accumulation';
import { Trainer } from '../../../model/training/trainer';
import { draw } from '../../helpers/nets';
import { trainingOptions } from '../../helpers/training';

const CLASSES = 3;
const SIZE = 4;
const pixels = [1, 2, 2] as const;

/** A perceptron on four pixels. */
const tiny: Net = (layers, x, { classes }) => {
  const pooled = relu(layers.linear('fc1', flatten(x), 6));
  return { logits: layers.linear('fc2', pooled, classes), pooled, features: {} };
};
const model: Model = {
  net: tiny,
  options: { classes: CLASSES, numChannels: 1, dropoutRate: 0 },
  normalize: { mean: [0.5], std: [0.25] },
  input: pixels,
};

function batchOf(size: number, name = 'images'): Batch {
  return {
    images: Uint8Array.from(draw(0, name, [size, ...pixels], 0, 256).data),
    labels: Int32Array.from({ length: size }, (_, i) => i % CLASSES),
    indices: Uint32Array.from({ length: size }, (_, i) => 10 + i),
    size,
  };
}

const distiller = (changes: Partial<Distiller>): Distiller => ({
  title: '',
  options: {},
  needsTeacher: false,
  includesCrossEntropy: true,
  ...changes,
});

function trainerOf(one: Distiller, optimizer: Optimizer, teacher?: Teacher, sizes = [SIZE]): Trainer {
  const options = trainingOptions(optimizer, SIZE, { methods: [{ name: 'game', distiller: one, options: {} }] });
  return Trainer.create(model, sizes, { ...options, teacher, threads: 1 });
}

const at = (step: number) => ({ step, epoch: 1, epochs: 1, learningRate: 0.1 });

/** The names of the states that a step changes. */
async function changedBy(trainer: Trainer, step: number): Promise<{ losses: string[]; changed: string[] }> {
  const copy = new Map([...trainer.state.arrays()].map(([name, array]) => [name, bytesOf(array).slice()]));
  const results = await trainer.step(batchOf(SIZE), at(step));
  const changed = [...trainer.state.arrays()].filter(
    ([name, array]) => !copy.get(name)!.every((b, i) => b === bytesOf(array)[i]),
  );
  return { losses: Object.keys(results), changed: changed.map(([name]) => name) };
}

describe('Trainer', () => {
  const isBeside = (parameter: string) => parameter.startsWith('distiller.');
  /** Each phase lowers what the other raises. */
  const rival: Phase = {
    name: 'rival',
    steps: 1,
    losses: ({ student, layers }) => ({
      rival: mean(square(sub(student.logits, layers.parameter('target', [CLASSES], constant(2))))),
    }),
    trains: isBeside,
  };
  const own: Phase = {
    name: 'own',
    steps: 2,
    losses: ({ student }) => ({ own: mean(square(sub(student.logits, 1))) }),
    trains: (parameter) => !isBeside(parameter),
  };
  const game = distiller({ phases: () => [rival, own] });

  it('makes the steps of each phase in turn, which train what is theirs', async () => {
    const trainer = trainerOf(game, sgd({ momentum: 0.9 }));
    const student = ['fc1.weight', 'fc1.bias', 'fc2.weight', 'fc2.bias'];
    const ofStudent = [...student, ...student.map((name) => `optimizer.momentum_buffer.${name}`)];
    const target = 'distiller.game.target';
    for (let step = 1; step <= 6; step++) {
      const { losses, changed } = await changedBy(trainer, step);
      if (step % 3 === 1) {
        expect(losses).to.have.members(['loss', 'loss/rival', 'correct']);
        expect(changed).to.have.members([target, `optimizer.momentum_buffer.${target}`]);
      } else {
        expect(losses).to.have.members(['loss', 'loss/own', 'correct']);
        expect(changed).to.have.members(ofStudent);
      }
    }
    await trainer.release();
  });

  it('counts the steps of each phase for its optimizer, as if the phase were alone', async () => {
    const both = trainerOf(game, adam());
    const alone = trainerOf(distiller({ phases: () => [own] }), adam());
    const batch = batchOf(SIZE);
    for (let step = 1; step <= 9; step++) await both.step(batch, at(step));
    for (let step = 1; step <= 6; step++) await alone.step(batch, at(step));
    for (const name of alone.state.names) {
      expect(bytesOf(both.state.get(name)), name).to.deep.equal(bytesOf(alone.state.get(name)));
    }
    await Promise.all([both.release(), alone.release()]);
  });

  it('makes turns of optimizer steps where these have several micro-batches', async () => {
    const options = trainingOptions(sgd(), SIZE, { methods: [{ name: 'game', distiller: game, options: {} }] });
    const trainer = Trainer.create(model, [SIZE], { ...options, threads: 1, accumulates: true });
    const sizes = { examples: 6 * SIZE, batchSize: SIZE, accumulate: 2 };
    const losses: string[] = [];
    for (let step = 0; step < 6; step++) {
      const micro = microBatch(1, step, sizes);
      losses.push(Object.keys(await trainer.step(batchOf(SIZE), { ...at(step + 1), micro }))[1]!);
    }
    const of = (name: string) => Array<string>(2).fill(`loss/${name}`);
    expect(losses).to.deep.equal([...of('rival'), ...of('own'), ...of('own')]);
    await trainer.release();
  });

  it('tells the weights of the student from what is beside it', async () => {
    const trainer = trainerOf(game, adam());
    const names = ['fc1.weight', 'fc1.bias', 'fc2.weight', 'fc2.bias'];
    expect([...trainer.weights().keys()]).to.have.members(names);
    const moments = [...names, 'distiller.game.target'].flatMap((name) =>
      ['exp_avg', 'exp_avg_sq'].map((moment) => `optimizer.${moment}.${name}`),
    );
    expect(trainer.state.names).to.have.members([...names, 'distiller.game.target', ...moments]);
    await trainer.release();
  });

  it('shares the state between batches of different sizes', async () => {
    const alone = distiller({ includesCrossEntropy: false, losses: () => ({}) });
    const trainer = trainerOf(alone, sgd(), undefined, [SIZE, 2]);
    const losses: number[] = [];
    for (const [i, size] of [SIZE, 2, SIZE, 2, 2].entries()) {
      losses.push(Number((await trainer.step(batchOf(size), at(i + 1))).loss!.data[0]));
    }
    // The smaller batch is the beginning of the larger one: its loss falls from one of its turns to the next.
    expect(losses[2]).to.be.below(losses[0]!);
    expect(losses[3]).to.be.below(losses[1]!);
    expect(losses[4]).to.be.below(losses[3]!);
    await trainer.release();
  });

  describe('feeds', () => {
    /** A teacher that gives the mean of the pixels, times `factor`, for every class, and notes what it is asked for. */
    function teacherOf(factor: number): Teacher & { asked: string[][] } {
      const asked: string[][] = [];
      const outputs: Teacher['outputs'] = ({ images, size }, names) => {
        asked.push([...names]);
        const data = Float32Array.from({ length: size * CLASSES }, (_, i) => {
          const row = Math.floor(i / CLASSES);
          return (factor * images.subarray(4 * row, 4 * row + 4).reduce((a, b) => a + b, 0)) / 4;
        });
        return Promise.resolve(
          Object.fromEntries(names.map((name) => [name, ndarray('float32', [size, CLASSES], data)])),
        );
      };
      return {
        asked,
        shapes: new Map(['stage1', 'logits'].map((name) => [name, [CLASSES]])),
        outputs,
        logits: async (batch) => (await outputs(batch, ['logits'])).logits!,
        release: () => Promise.resolve(),
      };
    }
    const average = (images: Uint8Array) => images.reduce((a, b) => a + b, 0) / images.length;

    it('what the losses use of the teacher, and asks it for nothing else', async () => {
      const teacher = teacherOf(1);
      const one = distiller({
        losses: ({ teacher, student }) => ({ t: mean(teacher.get('stage1')), s: mul(sum(student.logits), 0) }),
      });
      const trainer = trainerOf(one, sgd(), teacher);
      const batch = batchOf(SIZE);
      const results = await trainer.step(batch, at(1));
      expect(Number(results['loss/t']!.data[0])).to.be.closeTo(average(batch.images), 1e-3);
      expect(teacher.asked).to.deep.equal([['stage1']]);
      await trainer.release();
    });

    it('each of several teachers, and their mean', async () => {
      const members = [teacherOf(1), teacherOf(4)];
      const one = distiller({
        losses: ({ teacher, teachers, student }) => ({
          mean: mean(teacher.logits),
          first: mean(teachers[0]!.logits),
          second: mean(teachers[1]!.get('stage1')),
          s: mul(sum(student.logits), 0),
        }),
      });
      const trainer = trainerOf(one, sgd(), ensemble(members));
      const batch = batchOf(SIZE);
      const results = await trainer.step(batch, at(1));
      const expected = average(batch.images);
      for (const [name, factor] of Object.entries({ first: 1, second: 4, mean: 2.5 })) {
        expect(Number(results[`loss/${name}`]!.data[0]), name).to.be.closeTo(factor * expected, 1e-3 * expected);
      }
      await trainer.release();
    });

    it('views of the images, to student and teacher, through the same weights', async () => {
      const teacher = teacherOf(1);
      const one = distiller({
        losses: (setting) => {
          const other = setting.view('dark');
          return {
            teacher: mean(setting.teacher.logits),
            seen: mean(other.teacher.logits),
            difference: mean(square(sub(setting.student.logits, other.student.logits))),
          };
        },
      });
      const trainer = trainerOf(one, sgd(), teacher);
      expect(trainer.views).to.deep.equal(['dark']);
      expect(trainer.state.names).to.have.members(['fc1.weight', 'fc1.bias', 'fc2.weight', 'fc2.bias']);
      const batch = batchOf(SIZE);
      const dark = batch.images.map((pixel) => pixel >> 2);
      const results = await trainer.step({ ...batch, views: { dark } }, { ...at(1), learningRate: 0 });
      expect(Number(results['loss/teacher']!.data[0])).to.be.closeTo(average(batch.images), 1e-3);
      expect(Number(results['loss/seen']!.data[0])).to.be.closeTo(average(dark), 1e-3);
      expect(Number(results['loss/difference']!.data[0])).to.be.greaterThan(1e-3);
      const same = await trainer.step({ ...batch, views: { dark: batch.images } }, at(2));
      expect(Number(same['loss/difference']!.data[0])).to.equal(0);
      await trainer.release();
    });
  });
});

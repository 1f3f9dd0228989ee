/**
 * Tests all methods of model/distillers/. What every distillation method keeps to, run through the index, so that a new one is
 * tested by being listed.
 */
import { hash } from 'node:crypto';
import { mkdtempSync, mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { adam } from '../../../engine/optimizers/index';
import { State } from '../../../engine/session';
import { bytesOf } from '../../../formats/ndarray';
import { writeSafetensors } from '../../../formats/safetensors';
import { batches, type Batch } from '../../../model/data/loader';
import { makeShapes } from '../../../model/data/sets/shapes';
import { distillers } from '../../../model/distillers/index';
import { inWords } from '../../../model/experiment/describe';
import { methodsOf } from '../../../model/experiment/experiment';
import { plannedRuns, type PlannedRun } from '../../../model/experiment/stages';
import { nets } from '../../../model/nets/index';
import { evaluationGraph, specsOf, type Model } from '../../../model/nets/model';
import { loadTeacher, type Teacher } from '../../../model/teachers/index';
import { Trainer } from '../../../model/training/trainer';
import { writeJson } from '../../../utils/files';

const BATCH = 8;
const LEARNING_RATE = 1e-3;

const dataset = makeShapes({ train: 4 * BATCH, test: 1, seed: 3 });
const modelOf = (net: string): Model => ({
  net: nets[net]!.build,
  options: { classes: 10, numChannels: 32, dropoutRate: 0, patchSize: 16 },
  normalize: dataset.normalize,
  input: dataset.shape,
});
const model = modelOf('resnet8');

/** A teacher that computes its outputs for a batch once: every method sees the same few. */
function remembering(teacher: Teacher): Teacher {
  const known = new Map<string, ReturnType<Teacher['outputs']>>();
  return {
    ...teacher,
    shapes: teacher.shapes,
    logits: (batch) => teacher.logits(batch),
    outputs: (batch, names) => {
      const key = `${names.join()} ${hash('sha256', batch.images)}`;
      const outputs = known.get(key) ?? teacher.outputs(batch, names);
      known.set(key, outputs);
      return outputs;
    },
    release: () => teacher.release(),
  };
}

describe('every distillation method', function () {
  this.timeout(60_000);
  let folder: string;
  let teacher: Teacher;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'distillers-'));
    const checkpoint = join(folder, 'teacher.safetensors');
    writeSafetensors(checkpoint, State.initial(evaluationGraph(model)).arrays(), {});
    teacher = remembering(
      await loadTeacher({ model: 'resnet8', checkpoint, num_channels: 32 }, model, dataset, {
        threads: 1,
        log: () => {},
      }),
    );
  });
  after(async () => {
    await teacher.release();
    rmSync(folder, { recursive: true });
  });

  /** The runs of a method with its default options, from params.json to the last stage. */
  function runsOf(name: string): PlannedRun[] {
    const directory = join(folder, name);
    mkdirSync(directory, { recursive: true });
    const params = { model_version: 'resnet8', method: name, learning_rate: LEARNING_RATE, num_epochs: 2 };
    writeJson(join(directory, 'params.json'), { ...params, teacher: 'resnet8' });
    return plannedRuns(directory);
  }

  function trainerOf({ params }: PlannedRun, student: Model): Trainer {
    return Trainer.create(student, [BATCH], {
      seed: 5,
      methods: methodsOf(params),
      teacher,
      examples: dataset.train.size,
      optimizer: adam(),
      alpha: params.alpha,
      temperature: params.temperature,
      klReduction: params.kl_reduction,
      threads: 1,
    });
  }

  /** The batches of an epoch, with all views that the steps need. */
  function batchesOf(trainer: Trainer): Batch[] {
    const indices = Uint32Array.from({ length: dataset.train.size }, (_, i) => i);
    const pass = { shape: dataset.shape, batchSize: BATCH, seed: 5, epoch: 1, shuffle: true, augment: false };
    return [...batches(dataset.train, indices, { ...pass, views: trainer.views })];
  }

  /** Steps `from` to `to`, each on the batch that is its turn; the losses by name. */
  async function steps(trainer: Trainer, from: number, to: number): Promise<Record<string, number>[]> {
    const all = batchesOf(trainer);
    const losses: Record<string, number>[] = [];
    for (let step = from; step <= to; step++) {
      const moment = { step, epoch: 1, epochs: 2, learningRate: LEARNING_RATE };
      const results = await trainer.step(all[(step - 1) % all.length]!, moment);
      losses.push(Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, Number(data[0])])));
    }
    return losses;
  }

  for (const [name, distiller] of Object.entries(distillers)) {
    const student = modelOf(distiller.exampleStudent ?? 'resnet8');
    describe(name, () => {
      it('describes itself', () => {
        expect(distiller.title).to.match(/\S{3}/);
        const text = inWords(name);
        for (const [key, schema] of Object.entries(distiller.options)) {
          expect(text).to.include(key);
          expect(schema.title, `title of ${key}`).to.match(/\S{3}/);
        }
      });

      it('trains in every stage: losses are finite and fall, the student stays clean, its state goes on to the bit', async () => {
        for (const run of runsOf(name)) {
          const trainer = trainerOf(run, student);
          const losses = await steps(trainer, 1, 3);
          const resumed = trainerOf(run, student);
          for (const [key, array] of trainer.state.arrays()) resumed.state.set(key, array);
          const next = await steps(trainer, 4, 6);
          expect(await steps(resumed, 4, 6)).to.deep.equal(next);
          for (const [key, array] of trainer.state.arrays()) {
            expect(Buffer.compare(bytesOf(resumed.state.get(key)), bytesOf(array)), key).to.equal(0);
          }
          await resumed.release();

          losses.push(...next, ...(await steps(trainer, 7, 16)));
          for (const loss of losses.flatMap((one) => Object.values(one))) expect(loss).to.satisfy(Number.isFinite);
          if (!distiller.phases) {
            const mean = (from: number) => losses.slice(from, from + 4).reduce((sum, { loss }) => sum + loss!, 0) / 4;
            expect(mean(12), 'loss of the last pass over the images').to.be.below(mean(0));
          }
          expect([...trainer.weights().keys()]).to.have.members([...specsOf(evaluationGraph(student)).keys()]);
          await trainer.release();
        }
      });
    });
  }
});

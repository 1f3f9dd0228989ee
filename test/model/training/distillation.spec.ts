/** Distillation from code. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { distill, loadDataset, readSafetensors, writeSafetensors, type DistillationOptions } from '../../../index';
import { experiment, writeInitialWeights } from '../../helpers/train';
import { trainHere } from '../../helpers/train_here';

describe('distill', function () {
  this.timeout(60_000);
  let scratch: string;
  before(() => (scratch = mkdtempSync(join(tmpdir(), 'distillation-'))));
  after(() => rmSync(scratch, { recursive: true }));

  const created = async (changes: Partial<DistillationOptions> = {}) =>
    distill({
      student: 'mlp',
      net: { hiddenSizes: [8] },
      dataset: await loadDataset({ name: 'shapes', train: 100, test: 20 }),
      method: 'nokd',
      batchSize: 32,
      threads: 1,
      ...changes,
    });

  it('comes to the same on another device', async () => {
    const losses: number[][] = [];
    for (const device of ['cpu', 'tensorflow'] as const) {
      const run = await created({ device });
      const { loss: first } = await run.trainEpoch({ learningRate: 1e-3 });
      const { loss: second } = await run.trainEpoch({ learningRate: 1e-3 });
      losses.push([first!, second!, (await run.validate('test')).loss]);
      await run.release();
    }
    losses[0]!.forEach((loss, i) => expect(loss / losses[1]![i]!).to.be.closeTo(1, 1e-4));
  });

  it('goes on from what it saved, with the same bits', async () => {
    const file = join(scratch, 'saved.safetensors');
    const [whole, restored] = [await created(), await created()];
    await whole.trainEpoch({ learningRate: 1e-3 });
    await whole.save(file);
    const expected = await whole.trainEpoch({ learningRate: 1e-3 });
    restored.restore(file);
    expect(restored.epoch).to.equal(1);
    expect(await restored.trainEpoch({ learningRate: 1e-3 })).to.deep.equal(expected);
    expect([...restored.student()]).to.deep.equal([...whole.student()]);
    await Promise.all([whole.release(), restored.release()]);
  });

  const recipe: Partial<DistillationOptions> = {
    epochs: 3,
    schedule: { type: 'cosine', warmup_epochs: 1, min_learning_rate: 0 },
    learningRate: 0.01,
    accumulate: 2,
    clipNorm: 1,
    ema: 0.9,
    labelSmoothing: 0.1,
    onNan: 'restore',
  };

  it('trains with schedule, accumulation, clipping and averages; stopped amid an epoch it resumes to the same bits', async () => {
    const whole = await created(recipe);
    const expected = await whole.fit();
    expect(expected).to.have.length(3);
    const file = join(scratch, 'amid.safetensors');
    const first = await created(recipe);
    const ending = new AbortController();
    const seen: string[] = [];
    const callbacks = {
      signal: ending.signal,
      onStep: ({ epoch, step }: { epoch: number; step: number }) => {
        seen.push(`${epoch}/${step}`);
        if (epoch === 2 && step === 1) ending.abort();
      },
    };
    expect(await first.fit(callbacks)).to.have.length(1);
    expect(seen).to.deep.equal(['1/1', '1/2', '1/3', '2/1']);
    await first.save(file);
    const second = await created(recipe);
    second.restore(file);
    expect(await second.fit()).to.deep.equal(expected);
    expect(await first.fit()).to.deep.equal(expected);
    for (const run of [first, second]) expect([...run.student()]).to.deep.equal([...whole.student()]);
    await Promise.all([whole, first, second].map((run) => run.release()));
  });

  it('comes to what train.ts comes to', async () => {
    const directory = experiment(join(scratch, 'run'), {
      model_version: 'mlp',
      method: 'nokd',
      hidden_sizes: [8],
      dataset: { name: 'shapes', train: 100, test: 20, seed: 0 },
      optimizer: 'adam',
      weight_decay: 0,
      learning_rate: 0.01,
      schedule: recipe.schedule,
      batch_size: 32,
      num_epochs: 3,
      validation: 0.1,
      augmentation: 'yes',
      dropout_rate: 0,
      num_channels: 32,
      seed: 0,
      threads: 1,
    });
    expect((await trainHere(['--model_dir', directory])).error).to.equal(undefined);
    const run = await created({ epochs: 3, schedule: recipe.schedule!, learningRate: 0.01 });
    const lines = readFileSync(join(directory, 'metrics.jsonl'), 'utf8').trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).to.deep.equal(await run.fit());
    await run.release();
  });

  it('stops early, and tells each epoch whether it is the best', async () => {
    const run = await created({ epochs: 9, learningRate: 1e-30, earlyStopping: { patience: 2, min_delta: 0 } });
    const best: boolean[] = [];
    await run.fit({ onEpoch: ({ isBest }) => void best.push(isBest) });
    expect(run.epoch).to.equal(3);
    expect(best[0]).to.equal(true);
    await run.release();
  });

  it('opens what an earlier version saved, which knew the number of epochs alone', async () => {
    const [saved, restored] = [await created({ epochs: 3 }), await created({ epochs: 3 })];
    await saved.trainEpoch({ learningRate: 1e-3 });
    const file = join(scratch, 'earlier.safetensors');
    await saved.save(file);
    const { tensors } = readSafetensors(file);
    writeSafetensors(file, tensors, { epoch: '1' });
    restored.restore(file);
    expect(restored.epoch).to.equal(1);
    expect(await restored.fit()).to.have.length(2);
    expect(restored.epoch).to.equal(3);
    await Promise.all([saved.release(), restored.release()]);
  });

  it('trains beside a teacher on 8-bit integers, and resumes amid an epoch to the same bits', async () => {
    const checkpoint = writeInitialWeights(join(scratch, 'teacher.safetensors'), 'resnet8', 4);
    const warnings: string[] = [];
    const taught: Partial<DistillationOptions> = {
      method: 'kd',
      teacher: { model: 'resnet8', num_channels: 4, checkpoint },
      teacherPrecision: 'int8',
      teacherAgreement: 0,
      onWarning: (line) => warnings.push(line),
    };
    const [whole, first, second] = [await created(taught), await created(taught), await created(taught)];
    const expected = await whole.fit();
    const ending = new AbortController();
    await first.fit({ signal: ending.signal, onStep: ({ step }) => (step === 2 ? ending.abort() : undefined) });
    const file = join(scratch, 'int8.safetensors');
    await first.save(file);
    second.restore(file);
    expect(await second.fit()).to.deep.equal(expected);
    expect([...second.student()]).to.deep.equal([...whole.student()]);
    expect(warnings).to.deep.equal([]);

    const plain = await created({ ...taught, teacherPrecision: 'float32' });
    expect(await plain.fit()).to.not.deep.equal(expected);
    await Promise.all([whole, first, second, plain].map((run) => run.release()));
  });

  it('refuses wrong values for the precision of a teacher', async () => {
    const complaint = async (changes: object) => {
      const error = await created(changes).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      return (error as Error | undefined)?.message;
    };
    expect(await complaint({ teacherPrecision: 'int4' })).to.equal(
      'distill: teacherPrecision must be one of float32, int8, got "int4"',
    );
    expect(await complaint({ teacherAgreement: 98 })).to.equal(
      'distill: teacherAgreement must be a number from 0 to 1, got 98',
    );
  });

  it('refuses names that are none', async () => {
    const cases = { student: 'cnm', method: 'kdd', device: 'gpu' };
    for (const [argument, name] of Object.entries(cases)) {
      const message = await created({ [argument]: name }).then(
        () => 'nothing',
        (error: Error) => error.message,
      );
      expect(message).to.match(new RegExp(`^distill: ${argument} must be one of .*, got "${name}"$`));
    }
  });
});

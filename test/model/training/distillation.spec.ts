/** Distillation from code. */
import { expect } from 'chai';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { distill, loadDataset, type DistillationOptions } from '../../../index';

describe('distill', function () {
  this.timeout(60_000);
  let scratch: string;
  before(() => (scratch = mkdtempSync(join(tmpdir(), 'distillation-'))));
  after(() => rmSync(scratch, { recursive: true }));

  const created = async (changes: Partial<DistillationOptions> = {}) =>
    distill({
      student: 'mlp',
      net: { hiddenSizes: [8] },
      dataset: await loadDataset({ name: 'shapes', train: 100, test: 20, seed: 0, dir: '' }),
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
    whole.save(file);
    const expected = await whole.trainEpoch({ learningRate: 1e-3 });
    restored.restore(file);
    expect(restored.epoch).to.equal(1);
    expect(await restored.trainEpoch({ learningRate: 1e-3 })).to.deep.equal(expected);
    expect([...restored.student()]).to.deep.equal([...whole.student()]);
    await Promise.all([whole.release(), restored.release()]);
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

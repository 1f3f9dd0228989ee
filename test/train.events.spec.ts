/** What TensorBoard keeps of a run that went on: its loader drops what a new session says it will write again. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { eventOf, recordsOf } from './helpers/events';
import { experiment } from './helpers/train';
import { trainHere } from './helpers/train_here';

/** Prints the steps of each scalar as TensorBoard loads them. */
const loader = `
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1])
events.Reload()
print(json.dumps({tag: [event.step for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}))
`;

describe('the events of a run that went on', function () {
  this.timeout(120_000);
  const scratch = mkdtempSync(join(tmpdir(), 'events-'));
  after(() => rmSync(scratch, { recursive: true }));

  const run = join(scratch, 'run');
  before(async () => {
    const changes = { dataset: { name: 'shapes', train: 40, test: 10 }, num_channels: 2, batch_size: 12 };
    for (const num_epochs of [1, 2, 3]) {
      experiment(run, { ...changes, num_epochs, save_summary_steps: 1 });
      expect((await trainHere(['--model_dir', run])).error).to.equal(undefined);
    }
  });

  /** 36 images in batches of 12: three steps an epoch. */
  function expectAll(steps: Record<string, number[]>): void {
    expect(steps['val/accuracy']).to.deep.equal([3, 6, 9]);
    expect(steps['train/loss']).to.deep.equal([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  }

  it('are all there by its rule', () => {
    const folder = join(run, 'events');
    const events = readdirSync(folder)
      .sort()
      .flatMap((name) => recordsOf(readFileSync(join(folder, name))))
      .filter((record) => !record.includes('_hparams_'))
      .map(eventOf);
    const kept: Record<string, number[]> = {};
    let starts = 0;
    for (const { step, session, scalars } of events) {
      if (session) {
        starts++;
        for (const tag of Object.keys(kept)) kept[tag] = kept[tag]!.filter((earlier) => earlier < Number(step));
      }
      for (const [tag] of scalars ?? []) (kept[String(tag)] ??= []).push(Number(step));
    }
    expect(starts).to.equal(3);
    expectAll(kept);
  });

  it('are all there for the loader itself, where Python has it', function () {
    const python = [process.env.PYTHON, 'python3'].find(
      (name) => name && spawnSync(name, ['-c', 'import tensorboard'], { stdio: 'ignore' }).status === 0,
    );
    if (python === undefined) return this.skip();
    const { stdout, stderr } = spawnSync(python, ['-c', loader, join(run, 'events')], { encoding: 'utf8' });
    expect(stdout, stderr).to.match(/^\{/);
    expectAll(JSON.parse(stdout) as Record<string, number[]>);
  });
});

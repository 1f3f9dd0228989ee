/**
 * A trainer that only waits, with the files and manners of train.ts: lock, resumption, an orderly end on SIGINT and
 * SIGTERM, the test score at the very end. `starts.txt` gets a line each time that it begins to work, `ends.txt` when
 * it has done all.
 *
 * params.json: `alpha` is the accuracy of the last epoch; `behavior` one of good (also where absent), fail, fail_once,
 * hang, hang_hard (deaf to all signals but SIGKILL), diverge (after its first epoch, as run.json then says), be_killed (by
 * itself, as by a system that is short of memory). `teacher` is a line on its teacher for `train.log`. `later_epoch_ms` counts in
 * starts after the first. `steps` (1) are those of an epoch. Each changes the `weights`, a number that the results have: it tells
 * whether every step was done once. They are saved after an epoch and at an orderly end.
 */
import { appendFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { readMetadata, writeSafetensors } from '../../formats/safetensors';
import { acquireLock } from '../../runs/lock';
import { runMain } from '../../utils/cli';
import { UserError } from '../../utils/errors';
import { readJson, writeFileAtomic, writeJson } from '../../utils/files';

interface Params {
  readonly alpha?: number;
  readonly num_epochs: number;
  readonly epoch_ms: number;
  readonly steps?: number;
  readonly later_epoch_ms?: number;
  readonly seed?: number;
  readonly behavior?: string;
  readonly teacher?: string;
}

const directory = process.argv.at(-1)!;
const file = (name: string) => join(directory, name);

async function main(): Promise<void> {
  const params = readJson(file('params.json')) as Params;
  const { alpha = 0.5, num_epochs: epochs, steps = 1, behavior = 'good' } = params;
  const lock = acquireLock(directory, 'params.json');
  let state = { epoch: 0, step: 0, weights: Math.round(1000 * alpha) };
  const checkpoint = file('last.safetensors');
  if (existsSync(checkpoint)) state = JSON.parse(readMetadata(checkpoint).position!) as typeof state;
  const save = () =>
    writeSafetensors(checkpoint, new Map(), { position: JSON.stringify({ sums: {}, history: [], ...state }) });
  for (const [signal, code] of [['SIGINT', 130] as const, ['SIGTERM', 143] as const]) {
    process.on(signal, () => {
      if (behavior === 'hang_hard') return;
      process.stderr.write('\nSaving; press Ctrl-C again to quit at once.\n');
      if (existsSync(directory)) save();
      lock.release();
      process.exit(code);
    });
  }
  try {
    if (existsSync(file('metrics_test_best_weights.json'))) return;
    const isFirst = !existsSync(file('starts.txt'));
    appendFileSync(file('starts.txt'), `${process.pid}\n`);
    if (params.teacher !== undefined) appendFileSync(file('train.log'), `2026-01-02 03:04:05,678:${params.teacher}\n`);
    if (behavior === 'fail' || (behavior === 'fail_once' && isFirst)) {
      throw new UserError(`behavior is ${behavior}\nthe last word`);
    }
    const epochMs = isFirst ? params.epoch_ms : (params.later_epoch_ms ?? params.epoch_ms);
    const value = (epoch: number) => ({
      accuracy: (alpha * epoch) / epochs + ((params.seed ?? 230) - 230) / 100,
      loss: 1 - (alpha * epoch) / epochs,
    });
    const line = (epoch: number) => `${JSON.stringify({ epoch, train: value(epoch), val: value(epoch) })}\n`;
    while (state.epoch < epochs) {
      for (; state.step < steps; state.step++) {
        await wait(behavior.startsWith('hang') ? 1e6 : epochMs / steps);
        state.weights = (Math.imul(state.weights, 1664525) + 1013904223) >>> 0;
      }
      lock.assertHeld();
      const epoch = state.epoch + 1;
      state = { ...state, epoch, step: 0 };
      save();
      writeFileAtomic(file('metrics.jsonl'), Array.from({ length: epoch }, (_, i) => line(i + 1)).join(''));
      if (behavior === 'be_killed') {
        process.stderr.write(' 50%| 1/2 [00:30<00:30, 0 images/s]\n');
        process.kill(process.pid, 'SIGKILL');
      }
      if (behavior === 'diverge') {
        writeJson(file('run.json'), { diverged: `epoch ${epoch + 1}: the loss is NaN` });
        throw new UserError('the loss is NaN');
      }
    }
    lock.assertHeld();
    const { weights } = state;
    writeJson(file('metrics_val_best_weights.json'), { ...value(epochs), epoch: epochs, weights });
    appendFileSync(file('ends.txt'), `${process.pid}\n`);
    writeJson(file('metrics_test_best_weights.json'), { ...value(epochs), epoch: epochs, weights });
  } finally {
    lock.release();
  }
}

void runMain(main);

/**
 * A process that trains, and prints its memory as JSON, [step, bytes] for every twentieth step once it is warm:
 *
 *   node --expose-gc ts-node memory_of_steps.ts <net> <channels> <batch size> <steps> <bytes lost at each step>
 */
import { adam } from '../../engine/optimizers';
import { batches } from '../../model/data/loader';
import { makeShapes } from '../../model/data/sets/shapes';
import { nets } from '../../model/nets';
import { Trainer } from '../../model/training/trainer';
import { trainingOptions } from './training';

/** Steps until what is compiled, cached and pooled is there. */
const WARM_UP = 300;

async function main(): Promise<void> {
  const [net = '', ...numbers] = process.argv.slice(2);
  const [numChannels = 0, batchSize = 0, steps = 0, lost = 0] = numbers.map(Number);
  const dataset = makeShapes({ train: 4 * batchSize, test: 1, seed: 0 });
  const model = {
    net: nets[net]!.build,
    options: { classes: dataset.classes.length, numChannels, dropoutRate: 0.5 },
    normalize: dataset.normalize,
    input: dataset.shape,
  };
  const trainer = Trainer.create(model, [batchSize], { ...trainingOptions(adam(), batchSize), threads: 1 });
  const indices = Uint32Array.from({ length: dataset.train.size }, (_, i) => i);
  const pass = { shape: dataset.shape, batchSize, seed: 0, shuffle: true, augment: true };
  const memory: [step: number, bytes: number][] = [];
  const kept: Uint8Array[] = [];
  let step = 0;
  for (let epoch = 1; step < steps; epoch++) {
    for (const batch of batches(dataset.train, indices, { ...pass, epoch })) {
      await trainer.step(batch, { step: ++step, epoch, epochs: epoch, learningRate: 1e-3 });
      if (lost > 0) kept.push(new Uint8Array(lost).fill(1));
      if (step < WARM_UP || step % 20 > 0) continue;
      globalThis.gc!();
      memory.push([step, process.memoryUsage.rss()]);
    }
  }
  process.stdout.write(JSON.stringify(memory));
  await trainer.release();
}

void main();

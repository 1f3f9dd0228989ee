/**
 * What a step of each distillation method costs beside that of the student alone, in turn:
 *
 *   npx ts-node bench/methods.ts --net resnet8 --teacher resnet20 --threads 2
 *
 * The teacher's own time is a column by itself: it is the same for all methods that look at the same outputs.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { table } from 'table';
import { adam } from '../engine/optimizers';
import { State } from '../engine/session';
import { writeSafetensors } from '../formats/safetensors';
import { batches } from '../model/data/loader';
import { makeShapes } from '../model/data/sets/shapes';
import { distillers } from '../model/distillers';
import { nets } from '../model/nets';
import { evaluationGraph, type Model } from '../model/nets/model';
import { loadTeacher } from '../model/teachers';
import { Trainer } from '../model/training/trainer';
import { oneOf, parseArguments, runMain } from '../utils/cli';
import { median } from '../utils/median';
import { mistakes } from '../utils/schema';

const command = {
  name: 'bench/methods.ts',
  summary: 'Times a step of each distillation method beside that of the student alone.',
  flags: {
    net: { type: 'string', default: 'cnn', help: 'the student' },
    teacher: { type: 'string', default: 'cnn', help: 'the teacher' },
    only: { type: 'string', default: Object.keys(distillers).join(), help: 'methods, with commas between them' },
    batch: { type: 'number', default: 128, help: 'images a step' },
    threads: { type: 'number', default: availableParallelism(), help: 'threads of a step' },
    rounds: { type: 'number', default: 5, help: 'how often each method takes its turn, of three steps' },
  },
} as const;

const STEPS = 3;

async function main(): Promise<void> {
  const args = parseArguments(process.argv.slice(2), command);
  const names = args.only.split(',').map((name) => oneOf('only', name, Object.keys(distillers)));
  const dataset = makeShapes({ train: args.batch, test: 1, seed: 0 });
  const modelOf = (flag: 'net' | 'teacher'): Model => ({
    net: nets[oneOf(flag, args[flag], Object.keys(nets))]!.build,
    options: { classes: dataset.classes.length, numChannels: 32, dropoutRate: 0 },
    normalize: dataset.normalize,
    input: dataset.shape,
  });
  const model = modelOf('net');
  const folder = mkdtempSync(join(tmpdir(), 'bench-methods-'));
  const checkpoint = join(folder, 'teacher.safetensors');
  writeSafetensors(checkpoint, State.initial(evaluationGraph(modelOf('teacher'))).arrays(), {});
  const source = { model: args.teacher, checkpoint, num_channels: 32 };
  const teacher = await loadTeacher(source, model, dataset, { threads: args.threads, log: () => {} });

  const trainers = [...new Set(['nokd', ...names])].map((name) => {
    const distiller = distillers[name]!;
    const options = {};
    mistakes({ type: 'object', properties: distiller.options }, options);
    const trainer = Trainer.create(model, [args.batch], {
      seed: 0,
      methods: [{ name, distiller, options }],
      teacher,
      examples: dataset.train.size,
      optimizer: adam(),
      alpha: 0.9,
      temperature: 4,
      klReduction: 'batchmean',
      threads: args.threads,
    });
    return { name, trainer };
  });
  const indices = Uint32Array.from({ length: args.batch }, (_, i) => i);
  const pass = { shape: dataset.shape, batchSize: args.batch, seed: 0, epoch: 1, shuffle: false, augment: false };
  for (let round = 0; round <= args.rounds; round++) {
    for (const { trainer } of trainers) {
      const [batch] = batches(dataset.train, indices, { ...pass, views: trainer.views });
      // What compiling takes does not count.
      if (round === 1) for (const times of Object.values(trainer.times)) times.length = 0;
      for (let i = 1; i <= STEPS; i++) {
        const step = STEPS * round + i;
        await trainer.step(batch!, { step, epoch: 1, epochs: 1, learningRate: 1e-4 });
      }
    }
  }
  rmSync(folder, { recursive: true });
  const alone = median(trainers[0]!.trainer.times.step);
  const rows = trainers.map(({ name, trainer: { times } }) => [
    name,
    median(times.step).toFixed(1),
    (median(times.step) / alone).toFixed(2),
    median(times.teacher).toFixed(1),
  ]);
  process.stdout.write(
    `${args.net} from ${args.teacher}, batch ${args.batch}, ${args.threads} thread(s), ` +
      `medians of ${args.rounds * STEPS} steps.\n`,
  );
  const columnDefault = { alignment: 'right' as const };
  const head = ['method', 'step (ms)', 'relative to nokd', 'teacher (ms)'];
  process.stdout.write(table([head, ...rows], { columnDefault, columns: { 0: { alignment: 'left' } } }));
}

void runMain(main);

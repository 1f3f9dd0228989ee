/**
 * Whether the cost of a step grows as its batch does: the time for an image at several batch sizes, in turn:
 *
 *   npx ts-node bench/scaling.ts --nets cnn,resnet20 --batches 32,64,128,256,512 --threads 2
 */
import { availableParallelism } from 'node:os';
import { table } from 'table';
import { parseArguments, runMain } from '../utils/cli';
import { UserError } from '../utils/errors';
import { median } from '../utils/median';
import { subject, timedStep } from './subject';

const command = {
  name: 'bench/scaling.ts',
  summary: 'Times training steps at several batch sizes.',
  flags: {
    nets: { type: 'string', default: 'cnn,resnet20', help: 'networks, with commas between them' },
    batches: { type: 'string', default: '32,64,128,256,512', help: 'images a step, with commas between them' },
    threads: { type: 'number', default: availableParallelism(), help: 'threads of a step' },
    rounds: { type: 'number', default: 5, help: 'how often each batch size takes its turn, of 1,024 images' },
  },
} as const;

/** Images that each batch size is given in a round, so that all of them work for as long. */
const IMAGES = 1024;

async function main(): Promise<void> {
  const args = parseArguments(process.argv.slice(2), command);
  const sizes = args.batches.split(',').map(Number);
  if (!sizes.every((size) => Number.isInteger(size) && size > 0)) {
    throw new UserError(`--batches must be integers from 1 with commas between them, got "${args.batches}"`, 2);
  }
  const rows = [['network', 'batch', 'step (ms)', 'an image (ms)', 'relative to all']];
  for (const net of args.nets.split(',')) {
    const subjects = sizes.map((size) => subject(net, size, args.threads));
    const times = sizes.map((): number[] => []);
    // What compiling and the first allocations take does not count.
    for (let round = 0, step = 1; round <= args.rounds; round++) {
      for (const [i, one] of subjects.entries()) {
        for (let images = 0; images < IMAGES; images += sizes[i]!, step++) {
          const ms = await timedStep(one, step);
          if (round > 0) times[i]!.push(ms);
        }
      }
    }
    await Promise.all(subjects.map(({ trainer }) => trainer.release()));
    const perImage = sizes.map((size, i) => median(times[i]!) / size);
    const typical = median(perImage);
    sizes.forEach((size, i) => {
      const cells = [median(times[i]!).toFixed(1), perImage[i]!.toFixed(3), (perImage[i]! / typical).toFixed(2)];
      rows.push([net, String(size), ...cells]);
    });
  }
  process.stdout.write(`${args.threads} thread(s), medians of ${args.rounds} rounds.\n`);
  process.stdout.write(table(rows, { columnDefault: { alignment: 'right' }, columns: { 0: { alignment: 'left' } } }));
}

void runMain(main);

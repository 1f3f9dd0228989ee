/**
 * The most memory (RSS) that processes need which take training steps and nothing else, beside PyTorch's:
 *
 *   npx ts-node bench/memory.ts --only resnet18,cnn --batch 128 --threads 2
 *
 * PyTorch's side needs python3 with torch; without it only ours is measured.
 */
import { execFile } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { table } from 'table';
import { parseArguments, runMain } from '../utils/cli';
import { median } from '../utils/median';
import { subject, timedStep } from './subject';

const command = {
  name: 'bench/memory.ts',
  summary: 'Measures the memory of training steps beside that of PyTorch.',
  flags: {
    only: { type: 'string', default: 'cnn,resnet8,resnet20,resnet18', help: 'networks, with commas between them' },
    batch: { type: 'number', default: 128, help: 'images a step' },
    threads: { type: 'number', default: availableParallelism(), help: 'threads on both sides' },
    steps: { type: 'number', default: 4, help: 'steps of each process' },
    rounds: { type: 'number', default: 3, help: 'processes of each side, in turn' },
    alone: {
      type: 'boolean',
      default: false,
      help: 'take the steps of one network in this process, and print its peak',
    },
  },
} as const;

const run = promisify(execFile);

async function main(): Promise<void> {
  const { only, batch, threads, steps, rounds, alone } = parseArguments(process.argv.slice(2), command);
  if (alone) {
    const one = subject(only, batch, threads);
    for (let step = 1; step <= steps; step++) await timedStep(one, step);
    process.stdout.write(`${(process.resourceUsage().maxRSS / 1024).toFixed(0)}\n`);
    return;
  }
  const rows = [['network', 'ours (MiB)', 'PyTorch (MiB)', 'ours / PyTorch']];
  for (const net of only.split(',')) {
    const flags = ['--only', net, '--batch', batch, '--threads', threads, '--steps', steps].map(String);
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let round = 0; round < rounds; round++) {
      ours.push(
        Number(
          await outputOf(process.execPath, [require.resolve('ts-node/dist/bin'), __filename, ...flags, '--alone']),
        ),
      );
      const peak = await torchPeak(flags, threads);
      if (peak !== undefined) theirs.push(peak);
    }
    const [mine, its] = [median(ours), median(theirs)];
    rows.push([net, mine.toFixed(0), ...(theirs.length > 0 ? [its.toFixed(0), (mine / its).toFixed(2)] : ['–', '–'])]);
  }
  process.stdout.write(
    `Peak RSS of ${steps} steps, batch ${batch}, ${threads} thread(s), medians of ${rounds} processes.\n`,
  );
  process.stdout.write(table(rows, { columnDefault: { alignment: 'right' }, columns: { 0: { alignment: 'left' } } }));
}

/** Peak of a process of PyTorch in MiB; undefined where there is none. */
async function torchPeak(flags: readonly string[], threads: number): Promise<number | undefined> {
  const script = join(__dirname, 'torch_steps.py');
  for (const python of ['/usr/bin/python3', 'python3']) {
    const line = await outputOf(python, [script, ...flags], { OMP_NUM_THREADS: String(threads) }).catch(
      () => undefined,
    );
    if (line !== undefined) return (JSON.parse(line) as { peak_mb: number }).peak_mb;
  }
  return undefined;
}

async function outputOf(program: string, args: readonly string[], environment: object = {}): Promise<string> {
  return (await run(program, args, { env: { ...process.env, ...environment } })).stdout;
}

void runMain(main);

/**
 * What a run takes before its first step: from the command to the first step of a CNN, and for large networks to build and
 * compile the step:
 *
 *   npx ts-node bench/start.ts --data_dir data/cifar-10-batches-bin --nets cnn,resnet18,resnet110 --rounds 5
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { table } from 'table';
import { loadDataset, type DatasetParams } from '../model/data';
import { runFiles } from '../runs/files';
import { parseArguments, runMain } from '../utils/cli';
import { writeJson } from '../utils/files';
import { median } from '../utils/median';
import { compileTimes } from './subject';

const command = {
  name: 'bench/start.ts',
  summary: 'Times what a run does before its first step.',
  flags: {
    data_dir: { type: 'string', default: 'data/cifar-10-batches-bin', help: 'CIFAR-10; where absent, shapes' },
    nets: { type: 'string', default: 'cnn,resnet18,resnet110', help: 'networks to compile, with commas between them' },
    batch: { type: 'number', default: 128, help: 'images a step' },
    threads: { type: 'number', default: availableParallelism(), help: 'threads of a step' },
    rounds: { type: 'number', default: 5, help: 'how often each measurement takes its turn' },
    compile: { type: 'string', help: 'compile the step of this network in this process, and print milliseconds' },
  },
} as const;

const run = promisify(execFile);
const root = join(__dirname, '..');

async function main(): Promise<void> {
  const { data_dir, nets, batch, threads, rounds, compile } = parseArguments(process.argv.slice(2), command);
  if (compile !== undefined) {
    process.stdout.write(JSON.stringify(await compileTimes(compile, batch, threads)));
    return;
  }
  // A batch or two of images to train on, so that the run is over soon after its first step.
  const isThere = existsSync(data_dir);
  const dataset = isThere ? 'cifar10' : { name: 'shapes', train: 2 * batch, test: 100 };
  const subset = isThere ? (2 * batch) / 50_000 : 1;
  const params = { dataset, ...(isThere && { data_dir }), subset_percent: subset, batch_size: batch, threads };

  const [tools, imports, steps, loads]: [number[], number[], number[], number[]] = [[], [], [], []];
  for (let round = 0; round < rounds; round++) {
    tools.push(await timed(() => npx('ts-node', '--version')));
    imports.push(await timed(() => npx('ts-node', 'train.ts', '--version')));
    steps.push(await firstStep(params));
    const source = { dir: data_dir, ...(isThere ? { name: 'cifar10' } : (dataset as object)), seed: 0 };
    loads.push(await timed(() => loadDataset(source as { dir: string } & DatasetParams)));
  }
  const rows = [
    ['npx ts-node alone', median(tools)],
    ['train.ts with all that it imports', median(imports)],
    ['train.ts to its first step', median(steps)],
    ['loading the data', median(loads)],
    ['to the first step, beyond loading the data', median(steps) - median(loads)],
  ] as const;
  print(
    `The CNN on ${isThere ? 'CIFAR-10' : 'shapes'}, batch ${batch}, ${threads} thread(s), medians of ${rounds}:`,
    ['from the command', 'seconds'],
    rows.map(([name, ms]) => [name, seconds(ms)]),
  );

  const compiled: string[][] = [];
  for (const net of nets.split(',')) {
    const found: Awaited<ReturnType<typeof compileTimes>>[] = [];
    for (let round = 0; round < rounds; round++) {
      const flags = ['--compile', net, '--batch', String(batch), '--threads', String(threads)];
      const { stdout } = await run(process.execPath, [require.resolve('ts-node/dist/bin'), __filename, ...flags]);
      found.push(JSON.parse(stdout) as (typeof found)[number]);
    }
    const [graph, session] = (['graph', 'session'] as const).map((key) => median(found.map((one) => one[key])));
    compiled.push([net, String(found[0]!.nodes), ...[graph!, session!, graph! + session!].map(seconds)]);
  }
  print(
    `The training step, batch ${batch}, in a new process each time, medians of ${rounds}, in seconds:`,
    ['network', 'nodes', 'graph and first weights', 'session', 'together'],
    compiled,
  );
}

function npx(...args: string[]): Promise<unknown> {
  return run('npx', args, { cwd: root });
}

/** Milliseconds from the command until TensorBoard's events have the loss of the first step. */
async function firstStep(params: object): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'bench-start-'));
  try {
    const run = { model_version: 'cnn', learning_rate: 0.001, num_epochs: 1, save_summary_steps: 1, ...params };
    writeJson(join(directory, runFiles.params), run);
    const events = join(directory, runFiles.events);
    const began = performance.now();
    let isOver = false;
    const ended = npx('ts-node', 'train.ts', '--model_dir', directory).finally(() => (isOver = true));
    ended.catch(() => {});
    const hasLoss = () =>
      existsSync(events) && readdirSync(events).some((file) => readFileSync(join(events, file)).includes('train/loss'));
    while (!isOver && !hasLoss()) await setTimeout(2);
    const took = performance.now() - began;
    await ended;
    return took;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

function print(title: string, head: string[], rows: string[][]): void {
  const columnDefault = { alignment: 'right' as const };
  process.stdout.write(`${title}\n${table([head, ...rows], { columnDefault, columns: { 0: { alignment: 'left' } } })}`);
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(2);
}

void runMain(main);

/**
 * Times training steps beside PyTorch's, in turn, and what a step spends outside of ONNX Runtime:
 *
 *   npm run bench -- --only cnn,resnet20 --threads 2 --rounds 5
 *
 * PyTorch's side needs python3 with torch (Debian: apt-get install python3-torch); without it only ours is timed.
 */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { table } from 'table';
import { adam, optimizerFeeds, sgd, type Optimizer } from '../engine/optimizers';
import { Session, State } from '../engine/session';
import { batches } from '../model/data/loader';
import { makeShapes } from '../model/data/shapes';
import { distillers } from '../model/distillers';
import { nets } from '../model/nets';
import { maskFeeds, trainingGraph } from '../model/programs';
import { parseArguments, runMain } from '../utils/cli';
import { UserError } from '../utils/errors';
import { ndarray } from '../utils/ndarray';

const SEED = 0;

const cases: Record<string, { optimizer: Optimizer; dropoutRate: number; stepsPerRound: number }> = {
  cnn: { optimizer: adam(), dropoutRate: 0.5, stepsPerRound: 6 },
  resnet8: { optimizer: sgd({ momentum: 0.9, weightDecay: 5e-4 }), dropoutRate: 0, stepsPerRound: 6 },
  resnet20: { optimizer: sgd({ momentum: 0.9, weightDecay: 5e-4 }), dropoutRate: 0, stepsPerRound: 4 },
  resnet18: { optimizer: sgd({ momentum: 0.9, weightDecay: 5e-4 }), dropoutRate: 0, stepsPerRound: 2 },
};

const command = {
  name: 'bench/steps.ts',
  summary: 'Times training steps beside those of PyTorch.',
  flags: {
    only: { type: 'string', default: Object.keys(cases).join(), help: 'cases, with commas between them' },
    threads: { type: 'number', default: availableParallelism(), help: 'threads on both sides' },
    batch: { type: 'number', default: 128, help: 'images a step' },
    rounds: { type: 'number', default: 5, help: 'how often both sides take their turn' },
  },
} as const;

interface Timing {
  readonly total: number;
  readonly outside: number;
}

async function main(): Promise<void> {
  const args = parseArguments(process.argv.slice(2), command);
  const names = args.only.split(',');
  const unknown = names.find((name) => !(name in cases));
  if (unknown !== undefined) {
    throw new UserError(`--only must name ${Object.keys(cases).join(', ')}, got "${unknown}"`, 2);
  }
  const torch = await Torch.start(args.threads, args.batch);
  const rows = [['case', 'ours (ms)', 'PyTorch (ms)', 'PyTorch / ours', 'outside session.run']];
  for (const name of names) {
    const ours = await Ours.create(name, args.threads, args.batch);
    const steps = cases[name]!.stepsPerRound;
    const timings: Timing[] = [];
    const rival: number[] = [];
    for (let round = 0; round < args.rounds; round++) {
      for (let i = 0; i < steps; i++) timings.push(await ours.step());
      if (torch) rival.push(await torch.median(name, steps));
    }
    await ours.release();
    const total = median(timings.map((timing) => timing.total));
    const share = median(timings.map((timing) => timing.outside / timing.total));
    rows.push([
      name,
      total.toFixed(1),
      torch ? median(rival).toFixed(1) : '–',
      torch ? (median(rival) / total).toFixed(2) : '–',
      `${(100 * share).toFixed(2)} %`,
    ]);
  }
  torch?.stop();
  process.stdout.write(`Batch ${args.batch}, ${args.threads} threads, medians of ${args.rounds} rounds.\n`);
  process.stdout.write(table(rows, { columnDefault: { alignment: 'right' }, columns: { 0: { alignment: 'left' } } }));
}

/** Our side: the step of train.ts, from stored pixels to the new state. */
class Ours {
  private count = 0;
  private feeder = this.images();

  private constructor(
    private readonly name: string,
    private readonly batchSize: number,
    private readonly graph: ReturnType<typeof trainingGraph>,
    private readonly session: Session,
    private readonly state: State,
    private readonly dataset: ReturnType<typeof makeShapes>,
  ) {}

  static async create(name: string, threads: number, batchSize: number): Promise<Ours> {
    const dataset = makeShapes({ train: 4 * batchSize, test: 10, seed: SEED });
    const { optimizer, dropoutRate } = cases[name]!;
    const graph = trainingGraph(
      {
        net: nets[name]!.build,
        options: { classes: 10, numChannels: 32, dropoutRate },
        normalize: dataset.normalize,
        input: dataset.shape,
      },
      {
        batchSize,
        seed: SEED,
        distiller: distillers.nokd!,
        optimizer,
        alpha: 0,
        temperature: 1,
        klReduction: 'batchmean',
      },
    );
    const session = await Session.create(graph, { threads });
    const ours = new Ours(name, batchSize, graph, session, State.initial(graph), dataset);
    await ours.step();
    return ours;
  }

  /** One step, in milliseconds. */
  async step(): Promise<Timing> {
    const start = performance.now();
    const { value: batch } = this.feeder.next();
    if (!batch) throw new Error('bench: no batch');
    const { optimizer } = cases[this.name]!;
    const feeds = {
      images: ndarray('uint8', [batch.size, ...this.dataset.shape], batch.images),
      labels: ndarray('int32', [batch.size], batch.labels),
      ...optimizerFeeds(optimizer, ++this.count, 0.01),
      ...maskFeeds(this.graph, SEED, this.count),
    };
    const before = performance.now();
    await this.session.run(feeds, this.state);
    const after = performance.now();
    return { total: after - start, outside: before - start };
  }

  release(): Promise<void> {
    return this.session.release();
  }

  /** Augmented batches without end. */
  private *images(): Generator<ReturnType<typeof batches> extends Generator<infer B> ? B : never, undefined> {
    const indices = Uint32Array.from({ length: this.dataset.train.size }, (_, i) => i);
    const { shape } = this.dataset;
    for (let epoch = 1; ; epoch++) {
      yield* batches(this.dataset.train, indices, {
        shape,
        batchSize: this.batchSize,
        seed: SEED,
        epoch,
        shuffle: true,
        augment: true,
      });
    }
  }
}

/** PyTorch's side: a process that times steps when it is told to. */
class Torch {
  private constructor(
    private readonly process: ChildProcessWithoutNullStreams,
    private readonly lines: AsyncIterator<string>,
    private readonly reader: Interface,
  ) {}

  /** Undefined where there is no PyTorch. */
  static async start(threads: number, batch: number): Promise<Torch | undefined> {
    const script = join(__dirname, 'torch_steps.py');
    for (const python of ['/usr/bin/python3', 'python3']) {
      const child = spawn(python, [script, '--serve', '--threads', String(threads), '--batch', String(batch)], {
        env: { ...process.env, OMP_NUM_THREADS: String(threads) },
      });
      child.on('error', () => undefined);
      child.stdin.on('error', () => undefined);
      const reader = createInterface({ input: child.stdout });
      const torch = new Torch(child, reader[Symbol.asyncIterator](), reader);
      if (await torch.median('cnn', 1).catch(() => undefined)) return torch;
      torch.stop();
    }
    return undefined;
  }

  /** Median of `steps` steps in milliseconds. */
  async median(name: string, steps: number): Promise<number> {
    this.process.stdin.write(`${name} ${steps}\n`);
    const { value, done } = await this.lines.next();
    if (done) throw new Error('bench: PyTorch ended');
    return (JSON.parse(value as string) as { median_ms: number }).median_ms;
  }

  stop(): void {
    this.reader.close();
    this.process.kill();
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

void runMain(main);

/**
 * Times training steps beside PyTorch's, in turn, and what a step spends outside of ONNX Runtime:
 *
 *   npx ts-node bench/steps.ts --only cnn,resnet20 --threads 2 --rounds 5
 *   npx ts-node bench/steps.ts --only cnn,resnet18 --device cuda --batch 512
 *   npx ts-node bench/steps.ts --only resnet20 --torch compile
 *
 * PyTorch's side needs a Python with torch, and timm for the networks of timm, which PYTHON names (python3 by default); without it
 * only ours is timed. Beside a device that is not the CPU it runs on CUDA.
 */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { table } from 'table';
import { openDevice, type Backend } from '../engine/backends';
import { adam, sgd, type Optimizer } from '../engine/optimizers';
import { Session, State } from '../engine/session';
import { ndarray } from '../formats/ndarray';
import type { StoredDataset } from '../model/data/dataset';
import { batches, type Batch } from '../model/data/loader';
import { makeShapes } from '../model/data/sets/shapes';
import { distillers } from '../model/distillers';
import { Evaluator } from '../model/evaluation/evaluator';
import { nets } from '../model/nets';
import { evaluationGraph, type Model } from '../model/nets/model';
import { trainingGraph } from '../model/training/step_graph';
import { oneOf, parseArguments, runMain } from '../utils/cli';
import { deviceFlag, flaggedDevice, PRECISIONS, type Precision } from '../utils/devices';
import { UserError } from '../utils/errors';
import { median } from '../utils/median';
import { pythons } from './python';

const SEED = 0;

interface Case {
  readonly net: string;
  /** A training step; without one, the forward pass of a teacher. */
  readonly optimizer?: Optimizer;
  readonly stepsPerRound: number;
}

const momentum = sgd({ momentum: 0.9, weightDecay: 5e-4 });

const cases: Readonly<Record<string, Case>> = {
  cnn: { net: 'cnn', optimizer: adam(), stepsPerRound: 6 },
  resnet8: { net: 'resnet8', optimizer: momentum, stepsPerRound: 6 },
  resnet20: { net: 'resnet20', optimizer: momentum, stepsPerRound: 4 },
  resnet18: { net: 'resnet18', optimizer: momentum, stepsPerRound: 2 },
  wrn16_2: { net: 'wrn16_2', optimizer: momentum, stepsPerRound: 3 },
  mobilenetv2: { net: 'mobilenetv2', optimizer: momentum, stepsPerRound: 1 },
  vit_tiny: { net: 'vit_tiny', optimizer: momentum, stepsPerRound: 1 },
  convnext_atto: { net: 'convnext_atto', optimizer: momentum, stepsPerRound: 1 },
  mobilenetv3_small: { net: 'mobilenetv3_small', optimizer: momentum, stepsPerRound: 2 },
  efficientnet_b0: { net: 'efficientnet_b0', optimizer: momentum, stepsPerRound: 1 },
  resnet18_forward: { net: 'resnet18', stepsPerRound: 4 },
  resnet56_forward: { net: 'resnet56', stepsPerRound: 6 },
};

/** As written, compiled by torch.compile, or under autocast to bfloat16. */
const MODES = ['eager', 'compile', 'bfloat16'] as const;

const command = {
  name: 'bench/steps.ts',
  summary: 'Times training steps beside those of PyTorch.',
  flags: {
    only: { type: 'string', default: Object.keys(cases).join(), help: 'cases, with commas between them' },
    threads: { type: 'number', default: availableParallelism(), help: 'threads on both sides' },
    batch: { type: 'number', default: 128, help: 'images a step' },
    device: { ...deviceFlag, default: 'cpu', help: 'what ours runs on' },
    precision: { type: 'string', default: 'float32', help: `of our products: ${PRECISIONS.join(', ')}` },
    torch: { type: 'string', default: 'eager', help: `how PyTorch runs: ${MODES.join(', ')}` },
    rounds: { type: 'number', default: 5, help: 'how often both sides take their turn' },
  },
} as const;

interface Setting {
  readonly threads: number;
  readonly batchSize: number;
  readonly backend: Backend;
  readonly precision: Precision;
}

/** Milliseconds. */
interface Timing {
  readonly total: number;
  /** What was spent before ONNX Runtime was called. */
  readonly outside: number;
}

async function main(): Promise<void> {
  const args = parseArguments(process.argv.slice(2), command);
  const names = args.only.split(',');
  const unknown = names.find((name) => !(name in cases));
  if (unknown !== undefined) {
    throw new UserError(`--only must name ${Object.keys(cases).join(', ')}, got "${unknown}"`, 2);
  }
  const precision = oneOf('precision', args.precision, PRECISIONS);
  const { backend, description } = await openDevice(flaggedDevice(args.device)!, precision);
  const setting = { threads: args.threads, batchSize: args.batch, backend, precision };
  const mode = oneOf('torch', args.torch, MODES);
  const torch = await Torch.start(args.threads, args.batch, backend.name === 'cpu' ? 'cpu' : 'cuda', mode);
  const rows = [['case', 'ours (ms)', 'PyTorch (ms)', 'PyTorch / ours', 'outside session.run']];
  for (const name of names) {
    const ours = await Ours.create(name, setting);
    const steps = cases[name]!.stepsPerRound;
    const timings: Timing[] = [];
    const rival: number[] = [];
    for (let round = 0; round < args.rounds; round++) {
      for (let i = 0; i < steps; i++) timings.push(await ours.step());
      if (torch) rival.push(await torch.median(name, steps));
    }
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
  const { batch, threads, rounds } = args;
  process.stdout.write(`${description}. Batch ${batch}, ${threads} threads, medians of ${rounds} rounds.\n`);
  process.stdout.write(table(rows, { columnDefault: { alignment: 'right' }, columns: { 0: { alignment: 'left' } } }));
}

/** Our side: a step of train.ts, from stored pixels to the new state, or the logits of a teacher. */
class Ours {
  private constructor(
    private readonly pixels: Generator<Batch, void>,
    private readonly run: (batch: Batch) => Promise<number>,
  ) {}

  static async create(name: string, setting: Setting): Promise<Ours> {
    const { batchSize } = setting;
    const { net, optimizer } = cases[name]!;
    const dataset = makeShapes({ train: 4 * batchSize, test: 1, seed: SEED });
    const model: Model = {
      net: nets[net]!.build,
      options: { classes: 10, numChannels: 32, dropoutRate: net === 'cnn' ? 0.5 : 0 },
      normalize: dataset.normalize,
      input: dataset.shape,
    };
    const run = optimizer ? await trainer(model, optimizer, setting) : await forward(model, setting);
    const ours = new Ours(endless(dataset, batchSize), run);
    await ours.step();
    return ours;
  }

  async step(): Promise<Timing> {
    const start = performance.now();
    const { value: batch } = this.pixels.next();
    if (!batch) throw new Error('bench: no batch');
    const called = await this.run(batch);
    return { total: performance.now() - start, outside: called - start };
  }
}

/** Trains on a batch; resolves to the moment at which ONNX Runtime was called. */
async function trainer(model: Model, optimizer: Optimizer, { threads, batchSize, backend, precision }: Setting) {
  const graph = trainingGraph(model, {
    batchSize,
    seed: SEED,
    methods: [{ name: 'nokd', distiller: distillers.nokd!, options: {} }],
    examples: batchSize,
    optimizer,
    alpha: 0,
    temperature: 1,
    klReduction: 'batchmean',
    scalesLoss: precision === 'float16',
  });
  const session = await Session.create(graph, { threads, backend, precision });
  const state = State.initial(graph);
  let step = 0;
  return async (batch: Batch) => {
    const feeds = {
      images: ndarray('uint8', [batch.size, ...model.input], batch.images),
      labels: ndarray('int32', [batch.size], batch.labels),
      ...graph.feeds({ seed: SEED, step: ++step, epoch: 1, epochs: 1, learningRate: 0.01 }),
    };
    const called = performance.now();
    await session.run(feeds, state);
    return called;
  };
}

async function forward(model: Model, { threads, backend }: Setting) {
  const weights = State.initial(evaluationGraph(model)).arrays();
  const evaluator = await Evaluator.create(model, weights, threads, backend);
  return async (batch: Batch) => {
    const called = performance.now();
    await evaluator.logits(batch);
    return called;
  };
}

/** Augmented batches without end. */
function* endless(dataset: StoredDataset, batchSize: number): Generator<Batch, void> {
  const indices = Uint32Array.from({ length: dataset.train.size }, (_, i) => i);
  const options = { shape: dataset.shape, batchSize, seed: SEED, shuffle: true, augment: true };
  for (let epoch = 1; ; epoch++) yield* batches(dataset.train, indices, { ...options, epoch });
}

/** PyTorch's side: a process that times steps when it is told to. */
class Torch {
  private constructor(
    private readonly process: ChildProcessWithoutNullStreams,
    private readonly lines: AsyncIterator<string>,
    private readonly reader: Interface,
  ) {}

  /** Undefined where there is no PyTorch. */
  static async start(
    threads: number,
    batch: number,
    device: 'cpu' | 'cuda',
    mode: (typeof MODES)[number],
  ): Promise<Torch | undefined> {
    const script = join(__dirname, 'torch_steps.py');
    for (const python of pythons) {
      const flags = ['--serve', '--threads', threads, '--batch', batch, '--device', device, '--mode', mode].map(String);
      const child = spawn(python, [script, ...flags], {
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
    const line = await this.lines.next();
    if (line.done) throw new Error('bench: PyTorch ended');
    return (JSON.parse(line.value) as { median_ms: number }).median_ms;
  }

  stop(): void {
    this.reader.close();
    this.process.kill();
  }
}

void runMain(main);

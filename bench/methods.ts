/**
 * What each distillation method costs beside the student alone, in time and memory:
 *
 *   npx ts-node bench/methods.ts --only kd,at,crd
 *
 * Each method has a process of its own, which takes steps of the method until memory has peaked, then steps of both in turn. Time
 * is CPU time of the process, which other programs on the machine disturb least. With --write, model/distillers/costs.ts gets the
 * rows that were measured, and `train.ts --describe` prints them.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { table } from 'table';
import { adam } from '../engine/optimizers';
import { State } from '../engine/session';
import { writeSafetensors } from '../formats/safetensors';
import { batches, type Batch } from '../model/data/loader';
import { makeShapes } from '../model/data/sets/shapes';
import { distillers } from '../model/distillers';
import { costs, type Cost } from '../model/distillers/costs';
import { nets } from '../model/nets';
import { evaluationGraph, type Model } from '../model/nets/model';
import { loadTeacher, type Teacher } from '../model/teachers';
import { phasesOf } from '../model/training/step_graph';
import { Trainer } from '../model/training/trainer';
import { oneOf, parseArguments, runMain, type Arguments } from '../utils/cli';
import { median } from '../utils/median';
import { mistakes } from '../utils/schema';

const methods = Object.keys(distillers).filter((name) => name !== 'nokd');

const command = {
  name: 'bench/methods.ts',
  summary: 'Measures time and memory of each distillation method beside the student alone.',
  flags: {
    net: { type: 'string', default: 'resnet8', help: 'the student' },
    teacher: { type: 'string', default: 'resnet20', help: 'the teacher' },
    only: { type: 'string', default: methods.join(), help: 'methods, with commas between them' },
    batch: { type: 'number', default: 64, help: 'images a step' },
    threads: { type: 'number', default: 1, help: 'threads of a step' },
    rounds: { type: 'number', default: 5, help: 'how often method and student alone take their turns' },
    write: { type: 'boolean', default: false, help: 'write the rows to model/distillers/costs.ts' },
    alone: { type: 'boolean', default: false, help: 'measure one method in this process, and print the numbers' },
  },
} as const;

/** Steps of a turn, at least: of methods with phases, the next multiple of a round. */
const STEPS = 3;
const file = join(__dirname, '..', 'model', 'distillers', 'costs.ts');
const run = promisify(execFile);

/** Medians of CPU milliseconds per step, and the peak of the process in MiB. */
interface Measured {
  readonly alone: number;
  readonly step: number;
  readonly withTeacher: number;
  readonly peak: number;
}

type Args = Arguments<typeof command>;

async function main(): Promise<void> {
  const args = parseArguments(process.argv.slice(2), command);
  if (args.alone) {
    process.stdout.write(JSON.stringify(await measure(args.only, args)));
    return;
  }
  const names = args.only.split(',').map((name) => oneOf('only', name, methods));
  const nokd = await inProcess('nokd', args);
  const rows: Record<string, Cost> = {};
  for (const name of names) {
    const { alone, step, withTeacher, peak } = await inProcess(name, args);
    rows[name] = {
      time: rounded(step / alone),
      withTeacher: rounded(withTeacher / alone),
      memory: Math.round(peak - nokd.peak),
    };
    process.stderr.write(`${name}: ${JSON.stringify(rows[name])}\n`);
    if (args.write) write({ ...costs, ...rows }, args);
  }
  const { net, teacher, batch, threads, rounds } = args;
  process.stdout.write(
    `${net} from ${teacher}, batch ${batch}, ${threads} thread(s), medians of ${rounds} turns; ` +
      `alone ${nokd.alone.toFixed(1)} ms CPU time and ${nokd.peak.toFixed(0)} MiB.\n`,
  );
  const cells = Object.entries(rows).map(([name, { time, withTeacher, memory }]) => [name, time, withTeacher, memory]);
  const head = ['method', 'step / alone', 'with teacher', 'memory (MiB more)'];
  const columnDefault = { alignment: 'right' as const };
  process.stdout.write(table([head, ...cells], { columnDefault, columns: { 0: { alignment: 'left' } } }));
}

function rounded(ratio: number): number {
  return Number(ratio.toFixed(2));
}

async function inProcess(name: string, { net, teacher, batch, threads, rounds }: Args): Promise<Measured> {
  const flags = Object.entries({ only: name, net, teacher, batch, threads, rounds }).flatMap(([flag, value]) => [
    `--${flag}`,
    String(value),
  ]);
  const script = [require.resolve('ts-node/dist/bin'), __filename, ...flags, '--alone'];
  return JSON.parse((await run(process.execPath, script)).stdout) as Measured;
}

async function measure(name: string, args: Args): Promise<Measured> {
  const { batch: batchSize, threads, rounds } = args;
  const dataset = makeShapes({ train: batchSize, test: 1, seed: 0 });
  const modelOf = (flag: 'net' | 'teacher', called = args[flag]): Model => ({
    net: nets[oneOf(flag, called, Object.keys(nets))]!.build,
    options: { classes: dataset.classes.length, numChannels: 32, dropoutRate: 0 },
    normalize: dataset.normalize,
    input: dataset.shape,
  });
  const model = modelOf('net', distillers[name]!.exampleStudent);
  const folder = mkdtempSync(join(tmpdir(), 'bench-methods-'));
  const checkpoint = join(folder, 'teacher.safetensors');
  writeSafetensors(checkpoint, State.initial(evaluationGraph(modelOf('teacher'))).arrays(), {});
  const source = { model: args.teacher, checkpoint, num_channels: 32 };
  const kept =
    name === 'nokd'
      ? undefined
      : new KeptOutputs(await loadTeacher(source, model, dataset, { threads, log: () => {} }));
  rmSync(folder, { recursive: true });

  const indices = Uint32Array.from({ length: batchSize }, (_, i) => i);
  const pass = { shape: dataset.shape, batchSize, seed: 0, epoch: 1, shuffle: false, augment: false };
  const sideOf = (method: string, teacher?: Teacher) => {
    const distiller = distillers[method]!;
    const options = {};
    mistakes({ type: 'object', properties: distiller.options }, options);
    const methods = [{ name: method, distiller, options }];
    const trainer = Trainer.create(model, [batchSize], {
      seed: 0,
      methods,
      ...(teacher && { teacher }),
      examples: dataset.train.size,
      optimizer: adam(),
      alpha: 0.9,
      temperature: 4,
      klReduction: 'batchmean',
      threads,
    });
    const round = phasesOf(methods).reduce((sum, phase) => sum + (phase?.steps ?? 1), 0);
    const [batch] = batches(dataset.train, indices, { ...pass, views: trainer.views });
    return new Side(trainer, batch!, round * Math.ceil(STEPS / round));
  };
  const own = sideOf(name, kept?.teacher);
  await own.turn();
  await own.turn();
  const peak = process.resourceUsage().maxRSS / 1024;
  const alone = sideOf('nokd');
  await alone.turn();
  const times = { alone: [] as number[], step: [] as number[], withTeacher: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    times.alone.push(await alone.turn());
    if (kept) kept.isKept = false;
    times.withTeacher.push(await own.turn());
    if (kept) kept.isKept = true;
    times.step.push(await own.turn());
  }
  const step = median(times.step);
  return { alone: median(times.alone), step, withTeacher: kept?.isAsked ? median(times.withTeacher) : step, peak };
}

/** A method that takes steps on a batch. */
class Side {
  private done = 0;

  constructor(
    private readonly trainer: Trainer,
    private readonly batch: Batch,
    private readonly steps: number,
  ) {}

  /** Milliseconds of CPU time per step. */
  async turn(): Promise<number> {
    const began = process.cpuUsage();
    for (let i = 0; i < this.steps; i++) {
      await this.trainer.step(this.batch, { step: ++this.done, epoch: 1, epochs: 1, learningRate: 1e-4 });
    }
    const { user, system } = process.cpuUsage(began);
    return (user + system) / 1000 / this.steps;
  }
}

/** A teacher that computes its outputs for the batch anew, or keeps them, as the cache of a search does. */
class KeptOutputs {
  isKept = false;
  private readonly kept = new Map<Uint8Array, Map<string, ReturnType<Teacher['outputs']>>>();

  constructor(private readonly source: Teacher) {}

  /** Whether the method takes outputs of the teacher; otherwise it has none, or asks the network in its own step. */
  get isAsked(): boolean {
    return this.kept.size > 0;
  }

  get teacher(): Teacher {
    const outputs: Teacher['outputs'] = (batch, names) => {
      const own = this.kept.get(batch.images) ?? new Map<string, ReturnType<Teacher['outputs']>>();
      const found = this.isKept ? own.get(names.join()) : undefined;
      const made = found ?? this.source.outputs(batch, names);
      this.kept.set(batch.images, own.set(names.join(), made));
      return made;
    };
    const { shapes, network } = this.source;
    return {
      shapes,
      ...(network && { network }),
      logits: async (batch) => (await outputs(batch, ['logits'])).logits!,
      outputs,
      release: () => this.source.release(),
    };
  }
}

/** Writes costs.ts, with the machine at its top. */
function write(rows: Readonly<Record<string, Cost>>, { net, teacher, batch, threads, rounds }: Args): void {
  const text = readFileSync(file, 'utf8');
  const machine = `${cpus()[0]!.model.trim()}, Node.js ${process.versions.node}`;
  const settings = `${threads} thread(s), medians of ${rounds} turns`;
  const lines = Object.keys(distillers).flatMap((name) => {
    const row = rows[name];
    return row ? [`  ${name}: { time: ${row.time}, withTeacher: ${row.withTeacher}, memory: ${row.memory} },`] : [];
  });
  const [head] = text.split('/** What was measured');
  writeFileSync(
    file,
    `${head!}/** What was measured: ${settings}, on ${machine}. */\n` +
      `export const measuredOn = '${net} from ${teacher}, batches of ${batch}';\n\n` +
      `export const costs: Readonly<Record<string, Cost>> = {\n${lines.join('\n')}\n};\n`,
  );
}

void runMain(main);

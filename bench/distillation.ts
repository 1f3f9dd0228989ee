/**
 * Times whole distillations of a CNN from a ResNet-18 beside PyTorch's, in turn: the first epoch of one, with the teacher in
 * float32 and on 8-bit integers, and a search of 25 that runs two at a time and asks the teacher once, against one training after
 * the other, each with its own teacher:
 *
 *   npx ts-node bench/distillation.ts --only first_epoch,search --rounds 3
 *
 * Both sides are programs that read the same images, augment them, validate after each epoch and save their weights.
 * PyTorch's side needs a Python with torch, which PYTHON names (python3 by default); without it only ours is timed.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { globSync } from 'fast-glob';
import { table } from 'table';
import { State } from '../engine/session';
import { writeSafetensors } from '../formats/safetensors';
import { partition } from '../model/data/loader';
import { makeShapes } from '../model/data/sets/shapes';
import { nets } from '../model/nets';
import { evaluationGraph } from '../model/nets/model';
import { runFiles, searchFiles } from '../runs/files';
import { parseArguments, runMain } from '../utils/cli';
import { UserError } from '../utils/errors';
import { readJson, writeJson } from '../utils/files';
import { median } from '../utils/median';
import { pythons } from './python';

const command = {
  name: 'bench/distillation.ts',
  summary: 'Times whole distillations beside those of PyTorch.',
  flags: {
    only: { type: 'string', default: 'first_epoch,search', help: 'cases, with commas between them' },
    rounds: { type: 'number', default: 3, help: 'how often both sides take their turn with the first epoch' },
    images: { type: 'number', default: 2560, help: 'images of the first epoch' },
    search_images: { type: 'number', default: 1800, help: 'images of each training of the search' },
    epochs: { type: 'number', default: 4, help: 'of each training of the search' },
    trials: { type: 'number', default: 25, help: 'trainings of the search' },
  },
} as const;

const SEED = 230;
/** The teacher's weights are random, of which the time does not depend but the agreement does. */
const onIntegers = { teacher_precision: 'int8', teacher_agreement: 0 };
const THREADS = 2;
const tsNode = [process.execPath, require.resolve('ts-node/dist/bin')];
const script = (name: string) => [...tsNode, join(__dirname, '..', name)];

async function main(): Promise<void> {
  const args = parseArguments(process.argv.slice(2), command);
  const cases = args.only.split(',');
  const unknown = cases.find((name) => !['first_epoch', 'search'].includes(name));
  if (unknown !== undefined) throw new UserError(`--only must name first_epoch or search, got "${unknown}"`, 2);
  const scratch = mkdtempSync(join(tmpdir(), 'bench-distillation-'));
  try {
    const python = await pythonWithTorch();
    const rows = [['case', 'ours (s)', 'PyTorch (s)', 'PyTorch / ours']];
    const notes: string[] = [];
    if (cases.includes('first_epoch')) {
      const bench = new Bench(join(scratch, 'first_epoch'), args.images, python);
      const ours: number[] = [];
      const int8: number[] = [];
      const theirs: number[] = [];
      for (let round = 0; round < args.rounds; round++) {
        ours.push(await bench.firstEpoch());
        int8.push(await bench.firstEpoch(onIntegers));
        theirs.push((await bench.torch(1))?.epoch ?? NaN);
      }
      rows.push(row(`first epoch, ${args.images} images`, median(ours), median(theirs)));
      rows.push(row('the same with the teacher in int8', median(int8), median(theirs)));
    }
    if (cases.includes('search')) {
      const { trials, epochs, search_images: images } = args;
      const bench = new Bench(join(scratch, 'search'), images, python);
      const before = await bench.torch(epochs);
      const ours = await bench.search(trials, epochs);
      const after = await bench.torch(epochs);
      notes.push(
        `Our teacher computed ${ours.computed} images for the search; one trial alone asks for ${ours.asked}, ` +
          `${trials} without the folder that they share for ${trials * ours.asked}.`,
      );
      const one = before && after ? (before.wall + after.wall) / 2 : NaN;
      rows.push(row(`search of ${trials}, ${epochs} epochs of ${images} images`, ours.seconds, trials * one));
      if (python) {
        notes.push(
          `PyTorch's search is ${trials} times one of its trainings, of which one took ${before!.wall.toFixed(1)} s before ` +
            `and one ${after!.wall.toFixed(1)} s after ours; they would run one after another on ${THREADS} threads.`,
        );
      }
    }
    process.stdout.write(`Cnn distilled from resnet18, batch 128, crop and flip, ${THREADS} threads.\n`);
    process.stdout.write(table(rows, { columnDefault: { alignment: 'right' }, columns: { 0: { alignment: 'left' } } }));
    for (const note of notes) process.stdout.write(`${note}\n`);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

function row(name: string, ours: number, theirs: number): string[] {
  const show = (value: number, digits: number) => (Number.isNaN(value) ? '–' : value.toFixed(digits));
  return [name, show(ours, 1), show(theirs, 1), show(theirs / ours, 2)];
}

/** Of run.json. */
interface Facts {
  readonly epoch_seconds: readonly number[];
  readonly teacher_outputs: { readonly computed: number; readonly cached: number };
}

/** Both sides on the same images, of which `images` are to train on. */
class Bench {
  private readonly params: object;
  private runs = 0;

  constructor(
    private readonly directory: string,
    images: number,
    private readonly python: string | undefined,
  ) {
    mkdirSync(directory, { recursive: true });
    const size = Math.round(images / 0.9);
    const dataset = { name: 'shapes', train: size, test: 200, seed: 0 };
    const { train, shape, normalize } = makeShapes(dataset);
    const parts = partition(size, { validation: 0.1, subset: 1, seed: SEED });
    for (const [part, indices] of [['train', parts.train] as const, ['val', parts.validation] as const]) {
      const imageOf = (i: number) => train.images.subarray(i * 3072, (i + 1) * 3072);
      writeFileSync(join(directory, `${part}.images`), Buffer.concat(Array.from(indices, imageOf)));
      writeFileSync(
        join(directory, `${part}.labels`),
        Uint8Array.from(indices, (i) => train.labels[i]!),
      );
    }
    const checkpoint = join(directory, 'teacher.safetensors');
    const options = { classes: 10, numChannels: 32, dropoutRate: 0 };
    const teacher = evaluationGraph({ net: nets.resnet18!.build, options, normalize, input: shape });
    writeSafetensors(checkpoint, State.initial(teacher).arrays());
    this.params = {
      model_version: 'cnn_distill',
      teacher: { model: 'resnet18', checkpoint },
      dataset,
      learning_rate: 0.001,
      dropout_rate: 0.5,
      seed: SEED,
      threads: THREADS,
    };
  }

  /** Seconds of an epoch of train.ts: training, validation, checkpoint. */
  async firstEpoch(changes: object = {}): Promise<number> {
    const directory = this.experiment({ num_epochs: 1, ...changes });
    await run([...script('train.ts'), '--model_dir', directory]);
    return (readJson(join(directory, runFiles.record)) as Facts).epoch_seconds[0]!;
  }

  /** Seconds of a search from its start to its end, and the images that its teacher computed, and that one trial needs. */
  async search(trials: number, epochs: number): Promise<{ seconds: number; computed: number; asked: number }> {
    const directory = this.experiment({ num_epochs: epochs });
    const space = { alpha: [0.1, 0.5, 0.9, 0.95, 0.99], temperature: [2, 4.5, 6, 10, 20] };
    writeJson(join(directory, searchFiles.settings), { space, n_trials: trials, n_jobs: 2 });
    const { seconds } = await run([...script('search_hyperparams.ts'), '--parent_dir', directory]);
    const facts = globSync(`*/${runFiles.record}`, { cwd: directory }).map(
      (path) => readJson(join(directory, path)) as Facts,
    );
    const counts = facts.map((one) => one.teacher_outputs);
    const computed = counts.reduce((sum, one) => sum + one.computed, 0);
    return { seconds, computed, asked: Math.min(...counts.map((one) => one.computed + one.cached)) };
  }

  /** Seconds of PyTorch's first epoch, and of the whole process; undefined where there is no PyTorch. */
  async torch(epochs: number): Promise<{ epoch: number; wall: number } | undefined> {
    if (this.python === undefined) return undefined;
    const options = [this.directory, '--epochs', String(epochs), '--threads', String(THREADS)];
    const { stdout, seconds } = await run([this.python, join(__dirname, 'torch_distillation.py'), ...options]);
    const { epoch_seconds: all } = JSON.parse(stdout) as { epoch_seconds: number[] };
    return { epoch: all[0]!, wall: seconds };
  }

  private experiment(changes: object): string {
    const directory = join(this.directory, `run_${this.runs++}`);
    mkdirSync(directory);
    writeJson(join(directory, runFiles.params), { ...this.params, ...changes });
    return directory;
  }
}

/** Runs a program to its end: what it said, and how long it took in seconds. */
function run([program, ...args]: readonly string[]): Promise<{ stdout: string; seconds: number }> {
  const began = performance.now();
  const child = spawn(program!, args, { env: { ...process.env, OMP_NUM_THREADS: String(THREADS) } });
  const said = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => (said[stream] += text));
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve({ stdout: said.stdout, seconds: (performance.now() - began) / 1000 });
      else reject(new Error(`${[program, ...args].join(' ')}: exit code ${code}\n${said.stderr}`));
    });
  });
}

async function pythonWithTorch(): Promise<string | undefined> {
  for (const python of pythons) {
    const found = await run([
      python,
      '-c',
      'import importlib.util as u; print(u.find_spec("torch") is not None)',
    ]).catch(() => undefined);
    if (found?.stdout.trim() === 'True') return python;
  }
  return undefined;
}

void runMain(main);

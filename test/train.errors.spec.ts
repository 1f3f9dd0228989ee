/** What train.ts says to wrong input, and that nothing is lost by it. */
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { ndarray } from '../formats/ndarray';
import { writeNpy } from '../formats/npy';
import { readSafetensors, writeSafetensors } from '../formats/safetensors';
import { acquireLock } from '../runs/lock';
import { damage } from './helpers/runs';
import { experiment, snapshot, train, writeInitialWeights, type Ended } from './helpers/train';
import { writeFakeCifar10 } from './model/data/fakeCifar10';

/** A mistake, made in a copy of a run that has finished its only epoch. */
interface Mistake {
  readonly title: string;
  /** Keys of params.json that become different, or absent where undefined. */
  readonly params?: object;
  /** Other damage; what is returned is called afterwards. */
  readonly prepare?: (directory: string, cwd: string) => void | (() => void);
  /** Arguments behind --model_dir, or in its place. */
  readonly args?: readonly string[];
  readonly modelDir?: (directory: string) => readonly string[];
  /** What the message must hold, with DIR for the directory. */
  readonly says: readonly string[];
  readonly exitCode?: number;
}

const fixtures = join(__dirname, 'fixtures', 'torch');
const fresh = ['--fresh'];

/** params.json of a student with a teacher whose checkpoint is the file of that name in the working directory. */
const taughtBy = (checkpoint?: string) => ({
  model_version: 'cnn_distill',
  teacher: { model: 'cnn', num_channels: 4, ...(checkpoint !== undefined && { checkpoint }) },
});

const rewriteLast = (directory: string, change: (file: ReturnType<typeof readSafetensors>) => void): void => {
  const path = join(directory, 'last.safetensors');
  const file = readSafetensors(path);
  change(file);
  writeSafetensors(path, file.tensors, file.metadata);
};

const commands: Mistake[] = [
  {
    title: 'no --model_dir',
    modelDir: () => [],
    says: ['--model_dir is missing: name the directory of an experiment'],
    exitCode: 2,
  },
  {
    title: 'an unknown flag',
    args: ['--restore', 'last'],
    says: ['unknown option --restore'],
    exitCode: 2,
  },
  {
    title: '--fresh and --restore_file last at once',
    args: ['--fresh', '--restore_file', 'last'],
    says: ['--fresh starts over and --restore_file last resumes: give one of them'],
    exitCode: 2,
  },
];

const settings: Mistake[] = [
  {
    title: 'a missing directory',
    modelDir: (directory) => ['--model_dir', join(directory, 'none')],
    says: [join('DIR', 'none: no such directory')],
  },
  {
    title: 'a file in place of the directory',
    modelDir: (directory) => ['--model_dir', join(directory, 'params.json')],
    says: [join('DIR', 'params.json: not a directory')],
  },
  {
    title: 'a missing params.json',
    prepare: (directory) => rmSync(join(directory, 'params.json')),
    says: [join('DIR', 'params.json: no such file')],
  },
  {
    title: 'broken JSON',
    prepare: (directory) => writeFileSync(join(directory, 'params.json'), '{"model_version": "cnn",'),
    says: [join('DIR', 'params.json: not valid JSON')],
  },
  {
    title: 'an unknown key',
    params: { learning_rat: 0.1 },
    says: [join('DIR', 'params.json: "learning_rat" is not a key; did you mean "learning_rate"?')],
  },
  {
    title: 'a missing key',
    params: { num_epochs: undefined },
    says: [join('DIR', 'params.json: "num_epochs" is missing')],
  },
  {
    title: 'a value of the wrong type',
    params: { learning_rate: '0.1' },
    says: [join('DIR', 'params.json: "learning_rate" must be a number, got "0.1"')],
  },
  {
    title: 'a value that is not accepted',
    params: { model_version: 'resnet21' },
    says: [join('DIR', 'params.json: "model_version" must be one of "cnn", '), 'got "resnet21"'],
  },
  {
    title: 'far more threads than cores',
    params: { threads: 1000 },
    args: fresh,
    says: [join('DIR', 'params.json: "threads" must be at most '), ' (4 per core), got 1000'],
  },
  {
    title: 'distillation without a teacher',
    params: { model_version: 'cnn_distill' },
    says: [join('DIR', 'params.json: "teacher" must name a teacher if "method" is "kd", got "none"')],
  },
  {
    title: 'parameters that changed since the run began',
    params: { num_epochs: 2, learning_rate: 0.5, schedule: { type: 'constant' } },
    says: [
      join('DIR', 'params.json: "learning_rate" (was 0.003, is 0.5), "schedule.gamma" (was 0.2, is absent), '),
      '"schedule.type" (was "step", is "constant") changed since the run started',
      '--fresh',
    ],
  },
];

const data: Mistake[] = [
  {
    title: 'data that are not there and cannot be put there',
    params: { dataset: 'cifar10', data_dir: join('a_file', 'data') },
    prepare: (_, cwd) => writeFileSync(join(cwd, 'a_file'), ''),
    args: fresh,
    says: [join('a_file', 'data: not found, and the archive could not be downloaded'), 'set "data_dir"'],
  },
  {
    title: 'a folder without data',
    params: { dataset: 'cifar10', data_dir: 'empty' },
    prepare: (_, cwd) => mkdirSync(join(cwd, 'empty')),
    args: fresh,
    says: ['empty: contains no data_batch_*.bin or data_batch_1 of CIFAR-10'],
  },
  {
    title: 'a truncated data file',
    params: { dataset: 'cifar10', data_dir: 'truncated' },
    prepare: (_, cwd) => {
      writeFakeCifar10(join(cwd, 'truncated'));
      truncateSync(join(cwd, 'truncated', 'data_batch_2.bin'), 40_000);
    },
    args: fresh,
    says: [join('truncated', 'data_batch_2.bin: 40000 bytes is not a multiple of 3073')],
  },
  {
    title: 'a subset in which no image is left',
    params: { subset_percent: 0.002 },
    args: fresh,
    says: ['no training images are left: a subset of 0.002 of 400 images'],
  },
  {
    title: 'a validation part in which no image is',
    params: { validation: 0.001 },
    args: fresh,
    says: ['"validation": 0.001 of 400 images leaves no validation images'],
  },
];

const teachers: Mistake[] = [
  {
    title: 'a teacher that is not trained yet',
    params: taughtBy(),
    args: fresh,
    says: [join('experiments', 'base_cnn', 'best.safetensors: no such file, nor best.pth.tar: train the teacher')],
  },
  {
    title: 'a missing checkpoint of the teacher',
    params: taughtBy('none.pt'),
    args: fresh,
    says: ['none.pt: no such file'],
  },
  {
    title: 'a truncated checkpoint of the teacher',
    params: taughtBy('cut.safetensors'),
    prepare: (_, cwd) => truncateSync(writeInitialWeights(join(cwd, 'cut.safetensors'), 'cnn', 4), 20_000),
    args: fresh,
    says: ['cut.safetensors: not a valid safetensors file'],
  },
  {
    title: 'a file that is no checkpoint for the teacher',
    params: taughtBy('notes.txt'),
    prepare: (_, cwd) => writeFileSync(join(cwd, 'notes.txt'), 'These are not the weights.'),
    args: fresh,
    says: ['notes.txt: neither a safetensors file nor a PyTorch checkpoint'],
  },
  {
    title: 'the checkpoint of another architecture for the teacher',
    params: taughtBy('resnet8.safetensors'),
    prepare: (_, cwd) => void writeInitialWeights(join(cwd, 'resnet8.safetensors'), 'resnet8', 4),
    args: fresh,
    says: ['resnet8.safetensors: does not fit the network: ', 'missing (conv1.bias, ', 'conv1.weight: file [16,3,3,3]'],
  },
  {
    title: 'the checkpoint of a wider net for the teacher',
    params: taughtBy('wide.safetensors'),
    prepare: (_, cwd) => void writeInitialWeights(join(cwd, 'wide.safetensors'), 'cnn', 8),
    args: fresh,
    says: ['wide.safetensors: does not fit the network: ', 'conv1.weight: file [8,3,3,3], network [4,3,3,3]'],
  },
  {
    title: 'a checkpoint of the teacher in another element type',
    params: taughtBy('int32.safetensors'),
    prepare: (_, cwd) => {
      const path = writeInitialWeights(join(cwd, 'int32.safetensors'), 'cnn', 4);
      const { tensors } = readSafetensors(path);
      tensors.set('fc2.bias', ndarray('int32', [10]));
      writeSafetensors(path, tensors);
    },
    args: fresh,
    says: ['int32.safetensors: does not fit the network: 1 with another type (fc2.bias: file int32, network float32)'],
  },
  {
    title: 'an ONNX teacher that is no ONNX file',
    params: { model_version: 'cnn_distill', teacher: { onnx: 'notes.onnx' } },
    prepare: (_, cwd) => writeFileSync(join(cwd, 'notes.onnx'), 'This is not a model.'),
    args: fresh,
    says: ['notes.onnx: not a valid ONNX model: '],
  },
  {
    title: 'cached logits of fewer images, as the second teacher of a list',
    params: { ...taughtBy(), augmentation: 'no', teacher: [{ logits: 'all.npy' }, { logits: 'few.npy' }] },
    prepare: (_, cwd) => {
      writeNpy(join(cwd, 'all.npy'), ndarray('float32', [400, 10]));
      writeNpy(join(cwd, 'few.npy'), ndarray('float32', [100, 10]));
    },
    args: fresh,
    says: ['few.npy: has the shape [100, 10], accepted is [400, 10]: one row for each of the 400 training images'],
  },
  {
    title: 'cached logits of images that are cropped and flipped',
    params: { model_version: 'cnn_distill', teacher: { logits: 'none.npy' } },
    args: fresh,
    says: [join('DIR', 'params.json: "augmentation" must be "no" if "teacher" has cached logits, which do not follow')],
  },
  ...['zip', 'legacy'].map((format) => ({
    title: `a pickle that calls os.system (${format}) for the teacher`,
    params: taughtBy(join(fixtures, `attack.${format}.pt`)),
    args: fresh,
    says: [`attack.${format}.pt: refused: `, 'system'],
  })),
];

const methods: Mistake[] = [
  {
    title: 'more negatives than images',
    params: { ...taughtBy('teacher.safetensors'), method: { name: 'crd', negatives: 5000 } },
    prepare: (_, cwd) => void writeInitialWeights(join(cwd, 'teacher.safetensors'), 'cnn', 4),
    args: fresh,
    says: [join('DIR', 'params.json: "negatives" of "crd" must be at most 4096 with 400 training images, got 5000')],
  },
];

const checkpoints: Mistake[] = [
  {
    title: 'a truncated checkpoint of its own',
    params: { num_epochs: 2 },
    prepare: (directory) => truncateSync(join(directory, 'last.safetensors'), 50_000),
    says: [join('DIR', 'last.safetensors: not a valid safetensors file')],
  },
  {
    title: 'a checkpoint of its own without a position',
    params: { num_epochs: 2 },
    prepare: (directory) => cpSync(join(directory, 'best.safetensors'), join(directory, 'last.safetensors')),
    says: [join('DIR', 'last.safetensors: has no position to resume from'), '--fresh'],
  },
  {
    title: 'a checkpoint of its own with a broken position',
    params: { num_epochs: 2 },
    prepare: (directory) => rewriteLast(directory, ({ metadata }) => (metadata.position = '{"epoch": 1')),
    says: [join('DIR', 'last.safetensors: has no position to resume from')],
  },
  {
    title: 'a checkpoint of its own without one of the tensors',
    params: { num_epochs: 2 },
    prepare: (directory) =>
      rewriteLast(directory, ({ tensors }) => {
        tensors.delete('optimizer.exp_avg.fc2.bias');
        tensors.set('fc3.bias', ndarray('float32', [10]));
      }),
    says: [
      join('DIR', 'last.safetensors: does not fit the network: '),
      '1 missing (optimizer.exp_avg.fc2.bias), 1 unexpected (fc3.bias)',
    ],
  },
  {
    title: '--restore_file last without a checkpoint',
    prepare: (directory) => rmSync(join(directory, 'last.safetensors')),
    args: ['--restore_file', 'last'],
    says: [join('DIR', 'last.safetensors: no such file')],
  },
  {
    title: '--restore_file of a missing file',
    args: ['--restore_file', 'none.safetensors'],
    says: ['none.safetensors: no such file'],
  },
  {
    title: '--restore_file of a damaged file',
    prepare: (directory) => truncateSync(join(directory, 'best.safetensors'), 20_000),
    args: ['--restore_file', 'best'],
    says: [join('DIR', 'best.safetensors: not a valid safetensors file')],
  },
  {
    title: '--restore_file of a file with a changed bit',
    prepare: (directory) => damage(join(directory, 'best.safetensors')),
    args: ['--restore_file', 'best'],
    says: [join('DIR', 'best.safetensors: not a valid safetensors file: it is damaged')],
  },
  {
    title: '--restore_file of another architecture',
    prepare: (_, cwd) => void writeInitialWeights(join(cwd, 'resnet8.safetensors'), 'resnet8', 4),
    args: ['--restore_file', 'resnet8.safetensors'],
    says: ['resnet8.safetensors: does not fit the network: ', 'missing (conv1.bias, '],
  },
];

const directories: Mistake[] = [
  {
    title: 'a directory in which a process is at work',
    prepare: (directory) => {
      const lock = acquireLock(directory);
      return () => lock.release();
    },
    args: fresh,
    says: [`DIR: already in use by process ${process.pid} on `],
  },
];

interface Outcome {
  readonly directory: string;
  readonly ended: Ended;
  readonly before: Record<string, string>;
  readonly after: Record<string, string>;
}

describe('train.ts on wrong input', function () {
  this.timeout(180_000);
  const scratch = mkdtempSync(join(tmpdir(), 'train-errors-'));
  const template = join(scratch, 'template');
  before(async () => {
    const { exitCode, stderr } = await train(scratch, ['--model_dir', experiment(template)]);
    expect(exitCode, stderr).to.equal(0);
  });
  after(() => rmSync(scratch, { recursive: true }));

  /** Makes the mistake in a working directory of its own. */
  async function make(mistake: Mistake): Promise<Outcome> {
    const { params, prepare, args = [], modelDir = (path) => ['--model_dir', path] } = mistake;
    const cwd = mkdtempSync(join(scratch, 'cwd-'));
    const directory = join(cwd, 'run');
    cpSync(template, directory, { recursive: true });
    if (params) experiment(directory, params);
    const undo = prepare?.(directory, cwd);
    const before = snapshot(cwd);
    const ended = await train(cwd, [...modelDir(directory), ...args]);
    const after = snapshot(cwd);
    undo?.();
    return { directory, ended, before, after };
  }

  const groups = { commands, settings, data, teachers, methods, checkpoints, directories };
  for (const [group, mistakes] of Object.entries(groups)) {
    describe(group, () => {
      const outcomes = new Map<Mistake, Outcome>();
      before(() => Promise.all(mistakes.map(async (mistake) => outcomes.set(mistake, await make(mistake)))));

      for (const mistake of mistakes) {
        it(`${mistake.title}: one line, exit code ${mistake.exitCode ?? 1}, every file as it was`, () => {
          const { directory, ended, before, after } = outcomes.get(mistake)!;
          expect(ended.stderr).to.match(/^error: [^\n]+\n$/);
          for (const words of mistake.says) expect(ended.stderr).to.contain(words.replace('DIR', directory));
          // Without arguments its usage follows.
          expect(ended.stdout).to.match(mistake.modelDir?.('').length === 0 ? /^usage: train\.ts / : /^$/);
          expect(ended.exitCode).to.equal(mistake.exitCode ?? 1);
          expect(after).to.deep.equal(before);
        });
      }
    });
  }

  it('two mistakes in params.json: a line for each', async () => {
    const directory = experiment(join(scratch, 'two'), { alpha: 2, temperature: 0 });
    const { stderr, exitCode } = await train(scratch, ['--model_dir', directory]);
    const file = join(directory, 'params.json');
    expect(stderr.split('\n').sort()).to.deep.equal([
      '',
      `error: ${file}: "alpha" must be <= 1, got 2`,
      `error: ${file}: "temperature" must be > 0, got 0`,
    ]);
    expect(exitCode).to.equal(1);
  });

  it('a directory that cannot be written: one line, exit code 1, every file as it was', async function () {
    if (process.getuid?.() === 0 || process.platform === 'win32') return this.skip();
    const directory = experiment(join(scratch, 'read_only'));
    chmodSync(directory, 0o555);
    const before = snapshot(directory);
    const { stderr, exitCode } = await train(scratch, ['--model_dir', directory]);
    expect(stderr)
      .to.match(/^error: [^\n]+\n$/)
      .and.contain(`${directory}: cannot be locked: `);
    expect(exitCode).to.equal(1);
    expect(snapshot(directory)).to.deep.equal(before);
    chmodSync(directory, 0o755);
  });

  it('leaves no trace of what the pickles wanted to run', () => {
    expect(Object.keys(snapshot(scratch)).filter((path) => path.includes('executed'))).to.deep.equal([]);
    expect(readFileSync(join(fixtures, 'attack.legacy.pt'), 'latin1')).to.contain('executed');
    expect(existsSync('torch-fixture-was-executed')).to.equal(false);
  });
});

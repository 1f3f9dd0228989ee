/** train.ts --reproduce: a run that is trained once more, and compared. */
import { cpSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { readSafetensors, writeSafetensors } from '../formats/safetensors';
import { compareRuns } from '../model/experiment/compare';
import { collectRuns } from '../report/collect/collect';
import { RunDirectory } from '../runs/run_directory';
import { messageOf, UserError } from '../utils/errors';
import { experiment, readJsonIn, results, snapshot, train, writeInitialWeights } from './helpers/train';
import { trainHere } from './helpers/train_here';
import { observer } from './helpers/troubled';

const quick = {
  model_version: 'mlp',
  hidden_sizes: [8],
  dataset: { name: 'shapes', train: 100, test: 40 },
  batch_size: 16,
  num_epochs: 2,
  learning_rate: 0.01,
  threads: 1,
};
/** Its bits depend on the number of threads. */
const convolutional = {
  ...quick,
  model_version: 'cnn',
  num_channels: 16,
  dataset: { name: 'shapes', train: 300, test: 100 },
  batch_size: 64,
  num_epochs: 3,
};
const SAME = ['metrics: bit-identical', 'best weights: bit-identical', 'last weights: bit-identical'];

describe('train.ts --reproduce', function () {
  this.timeout(120_000);
  const scratch = mkdtempSync(join(tmpdir(), 'train-reproduce-'));
  const original = experiment(join(scratch, 'original'), quick);
  const start = process.cwd();
  after(() => rmSync(scratch, { recursive: true }));
  afterEach(() => {
    process.exitCode = undefined;
    process.chdir(start);
  });

  async function finish(...args: string[]): Promise<string> {
    const { error, stdout, stderr } = await trainHere(args);
    expect(error).to.equal(undefined);
    expect(stderr).to.equal('');
    return stdout;
  }

  async function fail(...args: string[]): Promise<{ stdout: string; error: UserError }> {
    const { error, stdout } = await trainHere(args);
    expect(error).to.be.instanceOf(UserError);
    return { stdout, error: error as UserError };
  }

  /** What the comparison at the end of an output says. */
  const compared = (stdout: string) => stdout.slice(stdout.indexOf(' compared with ')).trimEnd().split('\n').slice(1);
  const copy = (name: string) => {
    const filter = (path: string) => !path.includes('again_');
    cpSync(original, join(scratch, name), { recursive: true, filter });
    return join(scratch, name);
  };
  /** Rewrites run.json, as if the run had been on another machine. */
  const elsewhere = (path: string) => {
    const facts = readJsonIn<object>(path, 'run.json');
    writeFileSync(join(path, 'run.json'), JSON.stringify({ ...facts, cpu: 'Abacus', host: 'there' }));
  };
  const rewrite = (path: string, change: (text: string) => string) =>
    writeFileSync(path, change(readFileSync(path, 'utf8')));

  before(() => finish('--model_dir', original));

  it('trains it again in a folder of its own, to the same bits, and touches nothing', async () => {
    const before = snapshot(original);
    // The second is its former name.
    for (const [n, flag] of [
      [1, '--reproduce'],
      [2, '--repeat'],
    ] as const) {
      const stdout = await finish(flag, original);
      expect(compared(stdout)).to.deep.equal(SAME);
      // The params in `last` name the device that the run took.
      const others = (path: string) => ({ ...results(path), 'last.safetensors': undefined });
      expect(others(join(original, `again_${n}`))).to.deep.equal(others(original));
    }
    const own = Object.entries(snapshot(original)).filter(([path]) => !path.startsWith('again_'));
    expect(Object.fromEntries(own)).to.deep.equal(before);
    expect(collectRuns(scratch).map(({ directory }) => directory)).to.deep.equal(['original']);
  });

  it('goes by what the run had, whatever became of its params.json', async () => {
    const path = copy('edited');
    writeFileSync(join(path, 'params.json'), '{"model_version": "cnn"}');
    const target = join(scratch, 'elsewhere');
    expect(compared(await finish('--reproduce', path, '--model_dir', target))).to.deep.equal(SAME);
    expect(readJsonIn<object>(target, 'params.json')).to.include({ learning_rate: 0.01, threads: 1, device: 'cpu' });
    expect(existsSync(join(path, 'again_1'))).to.equal(false);
  });

  it('goes on where it was interrupted', async () => {
    const path = experiment(join(scratch, 'interrupted'), {
      ...quick,
      method: [{ name: join(__dirname, 'helpers', 'troubled.ts'), steps: [] }],
    });
    await finish('--model_dir', path);
    observer.atStep = (step) => {
      if (step !== 8) return;
      observer.atStep = () => {};
      process.emit('SIGINT');
    };
    const { error, stdout } = await trainHere(['--reproduce', path]);
    expect(error).to.equal(undefined);
    expect(process.exitCode).to.equal(130);
    expect(stdout).not.to.contain(' compared with ');
    process.exitCode = undefined;
    const rest = await finish('--reproduce', path);
    expect(rest).to.contain('\nResuming after epoch 1, step 2\n');
    expect(compared(rest)).to.deep.equal(SAME);
    expect(existsSync(join(path, 'again_2'))).to.equal(false);
  });

  it('finds files by the paths that the run had, from any working directory', async () => {
    const house = join(scratch, 'house');
    const directory = experiment(join(house, 'experiments', 'taught'), {
      ...quick,
      model_version: 'mlp_distill',
      teacher: { model: 'cnn', num_channels: 4, checkpoint: 'teacher.safetensors' },
    });
    const weights = writeInitialWeights(join(house, 'teacher.safetensors'), 'cnn', 4);
    const ended = await train(house, ['--model_dir', join('experiments', 'taught')]);
    expect(ended).to.include({ stderr: '', exitCode: 0 });
    const facts = readJsonIn<{ files: object; data: object }>(directory, 'run.json');
    expect(facts.files).to.have.nested.property('teacher.path', 'teacher.safetensors');
    expect(facts.data).to.include({ train: 100, test: 40 });
    const again = await train(join(house, 'experiments'), ['--reproduce', 'taught']);
    expect(again).to.include({ stderr: '', exitCode: 0 });
    expect(compared(again.stdout)).to.deep.equal(SAME);

    const { tensors } = readSafetensors(weights);
    tensors.get('fc2.bias')!.data[0] = 9;
    writeSafetensors(weights, tensors);
    const { stdout, error } = await fail('--reproduce', directory);
    expect(compared(stdout)[0]).to.match(/^Different: files\.teacher\.sha256 is \w{64}, was \w{64}$/);
    expect(messageOf(error)).to.match(/again_2: results differ from .*taught$/);
  });

  it('trains all stages again', async () => {
    const path = experiment(join(scratch, 'staged'), {
      ...quick,
      model_version: 'mlp_distill',
      method: { name: 'takd', assistants: ['cnn'] },
      num_channels: 4,
      teacher: {
        model: 'cnn',
        num_channels: 4,
        checkpoint: writeInitialWeights(join(scratch, 't.safetensors'), 'cnn', 4),
      },
    });
    await finish('--model_dir', path);
    expect(compared(await finish('--reproduce', path)).slice(-3)).to.deep.equal(SAME);
    const stage = join('stages', '1_cnn', 'best.safetensors');
    expect(snapshot(join(path, 'again_1'))[stage]).to.equal(snapshot(path)[stage]);
  });

  it('starts from the weights that the run started from, where they are now', async () => {
    const path = copy('from_best');
    await finish('--model_dir', path, '--restore_file', 'best');
    const kept = '{model_dir}/before_1/best.safetensors';
    expect(readJsonIn<object>(path, 'run.json')).to.have.nested.property('started_from.path', kept);
    expect(results(path)).not.to.deep.equal(results(original));
    expect(compared(await finish('--reproduce', path))).to.deep.equal(SAME);
    const moved = join(scratch, 'from_best_moved');
    renameSync(path, moved);
    expect(compared(await finish('--reproduce', moved))).to.deep.equal(SAME);
    const origin = join(moved, 'before_1', 'best.safetensors');
    rewrite(origin, (text) => `${text} `);
    const { error } = await fail('--reproduce', moved);
    expect(messageOf(error)).to.equal(`${origin}: has changed since the run started from it`);
  });

  it('tells bits that are others in the same surroundings', async () => {
    const path = copy('spoilt');
    const file = join(path, 'best.safetensors');
    const { tensors, metadata } = readSafetensors(file);
    const bias = tensors.get('fc2.bias')!.data as Float32Array;
    const most = Math.max(...[...bias].map(Math.abs));
    bias[0] = bias[0]! + most / 8;
    writeSafetensors(file, tensors, metadata);
    const { stdout, error } = await fail('--reproduce', path);
    expect(compared(stdout)[0]).to.equal(SAME[0]);
    expect(compared(stdout)[1]).to.match(/^best weights: up to 1[1-3](\.\d)? % apart \(fc2\.bias\)$/);
    expect(compared(stdout)[2]).to.equal(SAME[2]);
    expect(error.exitCode).to.equal(1);
  });

  it('accepts what other roundings come to on another machine, and no more', async () => {
    const path = copy('there');
    elsewhere(path);
    const metrics = join(path, 'metrics.jsonl');
    const [first] = readFileSync(metrics, 'utf8').split('\n');
    const { train: trained } = JSON.parse(first!) as { train: { loss: number } };
    const was = trained.loss;
    for (const [factor, isNear] of [
      [1.005, true],
      [1.02, false],
    ] as const) {
      rewrite(metrics, (text) => text.replace(/("train":\{[^}]*"loss":)[\d.]+/, `$1${was * factor}`));
      const args = ['--reproduce', path, '--model_dir', join(scratch, `there_${factor}`)];
      const stdout = isNear ? await finish(...args) : (await fail(...args)).stdout;
      expect(compared(stdout).slice(0, 2)).to.have.members([
        `Different: cpu is ${readJsonIn<{ cpu: string }>(original, 'run.json').cpu}, was Abacus`,
        `Different: host is ${readJsonIn<{ host: string }>(original, 'run.json').host}, was there`,
      ]);
      expect(compared(stdout)[2]).to.match(/^metrics: up to (0\.5|2) % apart \(epoch 1: train\.loss: is /);
    }
    rewrite(metrics, (text) => text.replace(/("train":\{[^}]*"loss":)[\d.]+/, `$1${was}`));
    // Of 40 images, three standard errors are at most 0.335.
    const test = join(path, 'metrics_test_best_weights.json');
    const { accuracy } = readJsonIn<{ accuracy: number }>(original, 'metrics_test_best_weights.json');
    for (const [off, isNear] of [
      [0.05, true],
      [0.6, false],
    ] as const) {
      rewrite(test, (text) => text.replace(/("accuracy": )[\d.]+/, `$1${accuracy + off}`));
      const args = ['--reproduce', path, '--model_dir', join(scratch, `there_${off}`)];
      await (isNear ? finish(...args) : fail(...args));
    }
  });

  it('comes to the same bits on as many threads, and near them on another number', async () => {
    const path = (threads: number, name = '') =>
      experiment(join(scratch, `threads_${threads}${name}`), { ...convolutional, threads });
    for (const one of [path(1), path(2), path(2, '_too')]) await finish('--model_dir', one);
    const [one, two, too] = [path(1), path(2), path(2, '_too')].map((directory) => new RunDirectory(directory));
    expect(compareRuns(two!, too!)).to.deep.include({ isSame: true, isNear: true, surroundings: [] });
    const { isNear, surroundings } = compareRuns(one!, two!);
    expect(isNear).to.equal(true);
    expect(surroundings).to.deep.equal([{ name: 'threads', before: 1, after: 2 }]);
  });

  it('refuses what cannot be repeated', async () => {
    const unfinished = copy('unfinished');
    rmSync(join(unfinished, 'metrics_test_best_weights.json'));
    const taken = experiment(join(scratch, 'taken'), {});
    const unknown = copy('unknown');
    rewrite(join(unknown, 'run.json'), () => '{}');
    const outside = join(scratch, 'none');
    for (const [args, message, exitCode] of [
      [[unfinished], `${unfinished}: not finished; only finished runs can be repeated`, 1],
      [[outside], `${outside}: not finished; only finished runs can be repeated`, 1],
      [[unknown], `${join(unknown, 'run.json')}: "params" and "cwd" of the run are missing`, 1],
      [[original, '--fresh'], '--reproduce starts as the original run did: remove --fresh and --restore_file', 2],
      [
        [original, '--model_dir', original],
        `--model_dir must be another directory than --reproduce, got ${original}`,
        2,
      ],
      [
        [original, '--model_dir', taken],
        `${join(taken, 'params.json')}: belongs to another run; use a new directory`,
        1,
      ],
    ] as const) {
      const { error } = await fail('--reproduce', ...args);
      expect(messageOf(error)).to.equal(message);
      expect(error.exitCode).to.equal(exitCode);
    }
  });
});

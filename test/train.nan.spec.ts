/** train.ts on numbers that are not finite: how it ends, leaves a step out, or goes back, and that interruptions change nothing. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { readSafetensors, writeSafetensors } from '../formats/safetensors';
import type { EpochRecord } from '../runs/metrics';
import { RunDirectory } from '../runs/run_directory';
import { messageOf, UserError } from '../utils/errors';
import { experiment, readJsonIn, results, writeInitialWeights } from './helpers/train';
import { trainHere } from './helpers/train_here';
import { observer } from './helpers/troubled';

const BATCHES = 6;
const STEPS = 3 * BATCHES;
const methodFile = join(__dirname, 'helpers', 'troubled.ts');

const quick = {
  model_version: 'mlp',
  hidden_sizes: [8],
  dataset: { name: 'shapes', train: 100, test: 20 },
  batch_size: 16,
  num_epochs: 3,
  learning_rate: 0.01,
  threads: 1,
};

/** What run.json says of trouble. */
interface Facts {
  readonly diverged?: string;
  readonly skipped_steps?: number;
  readonly restored?: number;
}

describe('a run of train.ts with numbers that are not finite', function () {
  this.timeout(120_000);
  const scratch = mkdtempSync(join(tmpdir(), 'train-nan-'));
  after(() => rmSync(scratch, { recursive: true }));
  afterEach(() => (process.exitCode = undefined));

  /** A directory of a run that has trouble at these steps. */
  const troubled = (name: string, steps: readonly number[], changes: object = {}, above = 0): string =>
    experiment(join(scratch, name), { ...quick, method: [{ name: methodFile, steps, above }], ...changes });

  async function finish(path: string): Promise<string> {
    const { error, stdout, stderr } = await trainHere(['--model_dir', path]);
    expect(error).to.equal(undefined);
    expect(stderr).to.equal('');
    return stdout;
  }

  /** Runs what has to end with a UserError; returns what it printed, and the error. */
  async function fail(path: string, ...args: string[]): Promise<{ stdout: string; message: string }> {
    const { error, stdout } = await trainHere(['--model_dir', path, ...args]);
    expect(error).to.be.instanceOf(UserError);
    return { stdout, message: messageOf(error) };
  }

  const records = (path: string): EpochRecord[] =>
    readFileSync(join(path, 'metrics.jsonl'), 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as EpochRecord);
  const facts = (path: string) => readJsonIn<Facts>(path, 'run.json');

  describe('that stops', () => {
    const line = 'epoch 2, step 3 of 6, learning rate 0.01: the loss "trouble" is -Infinity';

    it('says where and why in a line, and leaves the checkpoint of the epoch before as it was', async () => {
      const before = troubled('one_epoch', [9], { num_epochs: 1 });
      await finish(before);
      const path = troubled('stopped', [9]);
      const { message, stdout } = await fail(path);
      expect(message).to.equal(`${path}: ${line}; the checkpoints are unchanged`);
      expect(facts(path).diverged).to.equal(line);
      expect(stdout).to.match(/\n layer +largest weight +largest activation\n/);
      for (const layer of ['fc1', 'fc2', 'head']) expect(stdout).to.match(new RegExp(`\\n ${layer} +`));
      expect(stdout).to.match(/\n head +not finite: 1 of 1 values\n/);
      expect(readFileSync(join(path, 'train.log'), 'utf8')).to.match(/:ERROR: +head +not finite: 1 of 1 values\n/);
      const tensorsOf = (run: string) => [...readSafetensors(join(run, 'last.safetensors')).tensors];
      expect(tensorsOf(path)).to.deep.equal(tensorsOf(before));
      expect(results(path)['best.safetensors']).to.equal(results(before)['best.safetensors']);
      expect(new RunDirectory(path).readLast()!.position.epoch).to.equal(1);

      const bytes = results(path);
      expect((await fail(path)).message, 'once more').to.equal(message);
      expect(results(path)).to.deep.equal(bytes);
    });

    it('names the first operator with --debug_nan, from the checkpoint on', async () => {
      const { message, stdout } = await fail(join(scratch, 'stopped'), '--debug_nan');
      expect(message).to.contain(line);
      expect(stdout).to.contain('\nResuming after epoch 1, step 0\n');
      expect(stdout).to.match(
        /\nLog in layer "head" \(node head\/Log#\d+\) gave 1 of 1 values that are not finite; its inputs: argument from 0 to 0\n$/,
      );
    });

    it('goes on where on_nan changes, to what a run ends with that had it from the start', async () => {
      const path = troubled('stopped', [9], { on_nan: 'skip' });
      expect(await finish(path)).to.contain('\nResuming after epoch 1, step 0\n');
      const other = troubled('skipped_once', [9], { on_nan: 'skip' });
      await finish(other);
      expect(results(path)['best.safetensors']).to.equal(results(other)['best.safetensors']);
      expect(results(path)['metrics.jsonl']).to.equal(results(other)['metrics.jsonl']);
      expect(facts(path)).not.to.have.property('diverged');
    });

    it('by weights that a huge learning rate makes', async () => {
      const path = experiment(join(scratch, 'huge'), { ...quick, optimizer: 'sgd', learning_rate: 1e30 });
      const { message } = await fail(path);
      expect(message).to.match(
        /huge: epoch 1, step \d of 6, learning rate 1e\+30: the loss .*; the checkpoints are unchanged$/,
      );
      expect(existsSync(join(path, 'last.safetensors'))).to.equal(false);
    });

    it('by what the weights come to on the validation images, unless steps alone are to be left out', async () => {
      const file = writeInitialWeights(join(scratch, 'normed.safetensors'), 'cnn', 4);
      const { tensors } = readSafetensors(file);
      tensors.get('fcbn1.running_mean')!.data[0] = -3e38;
      tensors.get('fcbn1.running_var')!.data[0] = 0;
      writeSafetensors(file, tensors);
      const own = { ...quick, model_version: 'cnn', num_channels: 4, num_epochs: 1, init: { checkpoint: file } };
      const path = experiment(join(scratch, 'validated'), own);
      const { message, stdout } = await fail(path);
      expect(message).to.equal(
        `${path}: epoch 1: the loss on the validation images is Infinity; the checkpoints are unchanged`,
      );
      expect(stdout).to.match(/\n layer +largest weight\n conv1 +[\d.]+\n/);
      expect(existsSync(join(path, 'last.safetensors'))).to.equal(false);
      const other = experiment(join(scratch, 'validated_skip'), { ...own, on_nan: 'skip' });
      await finish(other);
      expect(records(other)[0]!.val.loss).to.equal(null);
    });

    it("by infinity in a teacher's logits, which --debug_nan names", async () => {
      const weights = writeInitialWeights(join(scratch, 'teacher.safetensors'), 'cnn', 4);
      const { tensors } = readSafetensors(weights);
      tensors.get('fc2.weight')!.data.fill(3e38 as never);
      writeSafetensors(weights, tensors);
      const teacher = { model: 'cnn', num_channels: 4, checkpoint: weights };
      const path = experiment(join(scratch, 'taught'), { ...quick, model_version: 'mlp_distill', teacher });
      const { message, stdout } = await fail(path, '--debug_nan');
      expect(message).to.match(/: epoch 1, step 1 of 6, learning rate 0\.01: the loss "\w+" is NaN;/);
      expect(stdout).to.match(
        /\n"teacher\/logits", an input of the step, has \d+ of 160 values that are not finite\n$/,
      );
    });
  });

  describe('that leaves steps out', () => {
    it('counts them, and ends where ten in a row, or all of an epoch, are to be left out', async () => {
      const path = troubled('skipping', [2, 9, 10], { on_nan: 'skip' });
      const stdout = await finish(path);
      expect(stdout.match(/; step skipped\n/g)).to.have.length(3);
      expect(records(path).map(({ skipped }) => skipped)).to.deep.equal([1, 2, undefined]);
      expect(facts(path)).to.include({ skipped_steps: 3 });

      const all = troubled('all', [4, 5, 6, 7, 8, 9], { on_nan: 'skip' });
      const { message } = await fail(all);
      expect(message).to.contain('epoch 2, step 3 of 6').and.contain(', the 6th in a row;');
      const many = { batch_size: 4, on_nan: 'skip' };
      const ten = Array.from({ length: 10 }, (_, i) => 5 + i);
      expect((await fail(troubled('ten', ten, many))).message)
        .to.contain('step 14 of 23')
        .and.contain(', the 10th in a row;');
      await finish(troubled('nine', ten.slice(1), many));
    });

    it('leaves out all micro-batches of an optimizer step', async () => {
      const path = troubled('micro', [4], { on_nan: 'skip', accumulate: 3, num_epochs: 1 });
      await finish(path);
      expect(records(path)[0]!.skipped).to.equal(1);
      // Micro-batch 4 is the first of the second step: it takes 5 and 6 with it, whatever they are.
      const same = troubled('micro_too', [4, 5, 6], { on_nan: 'skip', accumulate: 3, num_epochs: 1 });
      await finish(same);
      expect(results(path)['best.safetensors']).to.equal(results(same)['best.safetensors']);
    });
  });

  describe('that goes back', () => {
    it('begins the epoch again with half the learning rate, which stays', async () => {
      const path = troubled('restored', [10, 15], { on_nan: 'restore' }, 0.003);
      const stdout = await finish(path);
      expect(stdout).to.contain(
        'restoring the beginning of the epoch with half the learning rate (2 of 5)\nEpoch 2/3\n',
      );
      expect(records(path).map(({ learning_rate }) => learning_rate)).to.deep.equal([0.01, 0.0025, 0.0025]);
      expect(facts(path)).to.include({ restored: 2 });
    });

    it('is a run with these learning rates from the start', async () => {
      const path = troubled('restored_once', [1], { on_nan: 'restore' }, 0.01);
      await finish(path);
      const other = troubled('slower', [], { learning_rate: 0.005 });
      await finish(other);
      expect(results(path)['best.safetensors']).to.equal(results(other)['best.safetensors']);
      expect(results(path)['metrics.jsonl']).to.equal(results(other)['metrics.jsonl']);
    });

    it('ends where it does not help', async () => {
      const path = troubled('hopeless', [8], { on_nan: 'restore' });
      const { message } = await fail(path);
      expect(message)
        .to.contain('epoch 2, step 2 of 6, learning rate 0.0003125: ')
        .and.contain(', after restoring 5 times;');
      expect(new RunDirectory(path).readLast()!.position.epoch).to.equal(1);
    });
  });

  // Before, at, and after trouble, and at the end of an epoch.
  const interrupted = process.env.SOAK ? Array.from({ length: STEPS }, (_, i) => i + 1) : [2, 8, 9, 12, 16];
  for (const [policy, above, steps] of [
    ['skip', 0, [2, 9, 10]],
    ['restore', 0.003, [9, 10, 17]],
  ] as const) {
    it(`ends with the same bytes wherever it was interrupted, with "${policy}"`, async () => {
      const whole = troubled(`${policy}_whole`, steps, { on_nan: policy }, above);
      await finish(whole);
      for (const at of interrupted) {
        const path = troubled(`${policy}_${at}`, steps, { on_nan: policy }, above);
        observer.atStep = (step) => {
          if (step !== at) return;
          observer.atStep = () => {};
          process.emit('SIGINT');
        };
        await trainHere(['--model_dir', path]);
        expect(process.exitCode, `step ${at}`).to.equal(130);
        process.exitCode = undefined;
        const { position } = new RunDirectory(path).readLast()!;
        await finish(path);
        expect(results(path), `interrupted in step ${at}, saved at ${position.step}`).to.deep.equal(results(whole));
        rmSync(path, { recursive: true });
      }
    });
  }
});

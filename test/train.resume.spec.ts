/** Interrupting, going on, and starting over: what train.ts promises about the directory of a run. */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { bytesOf } from '../formats/ndarray';
import { readSafetensors } from '../formats/safetensors';
import { lockState } from '../runs/lock';
import { RunDirectory } from '../runs/run_directory';
import { experiment, results, snapshot, train, writeInitialWeights, type Kill } from './helpers/train';

const epochs = 6;

describe('a run of train.ts', function () {
  this.timeout(120_000);
  const scratch = mkdtempSync(join(tmpdir(), 'train-resume-'));
  const uninterrupted = join(scratch, 'uninterrupted');
  after(() => rmSync(scratch, { recursive: true }));

  /** A directory with all that a step may depend on: a teacher, dropout, augmentation, a smaller last batch. */
  const directory = (name: string, changes: object = {}): string =>
    experiment(join(scratch, name), {
      model_version: 'cnn_distill',
      teacher: { model: 'cnn', num_channels: 8, checkpoint: join(scratch, 'teacher.safetensors') },
      dataset: { name: 'shapes', train: 200, test: 50 },
      batch_size: 16,
      dropout_rate: 0.5,
      num_epochs: epochs,
      // No loss falls to a half in an epoch, so that the rate does, and with it all weights depend on the history.
      schedule: { type: 'plateau', patience: 1, factor: 0.5, threshold: 0.5 },
      ...changes,
    });

  const start = (path: string, args: readonly string[] = [], kill?: Kill) =>
    train(scratch, ['--model_dir', path, ...args], kill);

  /** Starts a run that must end well; returns what it said. */
  async function finish(path: string, ...args: string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await start(path, args);
    expect(stderr).to.equal('');
    expect(exitCode).to.equal(0);
    expect(existsSync(join(path, '.lock'))).to.equal(false);
    return stdout;
  }

  const expectSameResults = (path: string) => expect(results(path)).to.deep.equal(results(uninterrupted));

  before(async () => {
    writeInitialWeights(join(scratch, 'teacher.safetensors'), 'cnn', 8);
    await finish(directory('uninterrupted'));
    expect(Object.keys(results(uninterrupted))).to.deep.equal([
      'best.safetensors',
      'images_test.safetensors',
      'last.safetensors',
      'metrics.jsonl',
      'metrics_test_best_weights.json',
      'metrics_val_best_weights.json',
      'metrics_val_last_weights.json',
      'predictions_teacher.safetensors',
      'predictions_test.safetensors',
      'predictions_val.safetensors',
    ]);
    const rates = new RunDirectory(uninterrupted).readLast()!.position.history.map((record) => record.learning_rate);
    expect(rates).to.deep.equal([1, 1, 1, 0.5, 0.5, 0.25].map((factor) => 0.003 * factor));
  });

  it('that is interrupted between steps says how to go on, and ends with the same bytes', async () => {
    const path = directory('interrupted');
    for (const [args, after] of [
      [[], 'Epoch 2/'],
      [['--restore_file', 'last'], 'Epoch '],
    ] as const) {
      const { exitCode, stdout } = await start(path, args, { after, signal: 'SIGINT' });
      expect(exitCode).to.equal(130);
      const [, epoch, step] = /\nInterrupted in epoch (\d+) after step (\d+); run the same command to resume\n$/.exec(
        stdout,
      )!;
      const { position } = new RunDirectory(path).readLast()!;
      expect(position.epoch, 'finished epochs').to.equal(Number(epoch) - 1);
      expect(position.step).to.equal(Number(step)).and.be.greaterThan(0);
      expect(lockState(path)).to.equal('free');
    }
    const { position } = new RunDirectory(path).readLast()!;
    expect(await finish(path)).to.contain(`\nResuming after epoch ${position.epoch}, step ${position.step}\n`);
    expectSameResults(path);
  });

  it('that is killed in the middle of an epoch goes on from the epoch before, and ends with the same bytes', async () => {
    const path = directory('killed');
    expect((await start(path, [], { after: 'Epoch 3/', signal: 'SIGKILL' })).signal).to.equal('SIGKILL');
    expect(lockState(path)).to.equal('stale');
    const { position } = new RunDirectory(path).readLast()!;
    expect(position.epoch).to.be.at.least(2);
    expect(await finish(path)).to.contain(`\nResuming after epoch ${position.epoch}, step 0\n`);
    expectSameResults(path);
  });

  it('that is killed before its first checkpoint starts again, and ends with the same bytes', async () => {
    const path = directory('killed_early');
    expect((await start(path, [], { after: 'Epoch 1/', signal: 'SIGKILL' })).signal).to.equal('SIGKILL');
    expect(existsSync(join(path, 'last.safetensors'))).to.equal(false);
    await finish(path);
    expectSameResults(path);
    expect(readdirSync(join(path, 'before_1'))).to.include('train.log');
  });

  it('that is finished says so and touches nothing', async () => {
    const before = snapshot(uninterrupted);
    expect(await finish(uninterrupted)).to.equal(
      `${uninterrupted}: finished after ${epochs} epochs; raise "num_epochs" to train longer\n`,
    );
    expect(snapshot(uninterrupted)).to.deep.equal(before);
  });

  it('that is killed between its last epoch and the test still makes the test', async () => {
    const path = join(scratch, 'untested');
    cpSync(uninterrupted, path, { recursive: true });
    rmSync(join(path, 'metrics_test_best_weights.json'));
    await finish(path);
    expectSameResults(path);
  });

  it('makes the test with the weights of its best epoch, whatever the last ones are', async () => {
    const path = join(scratch, 'spoilt');
    cpSync(uninterrupted, path, { recursive: true });
    const test = 'metrics_test_best_weights.json';
    rmSync(join(path, test));
    const last = new RunDirectory(path).readLast()!;
    for (const { data } of last.tensors.values()) if (data instanceof Float32Array) data.fill(0);
    new RunDirectory(path).saveLast(last);
    await finish(path);
    expect(results(path)[test]).to.equal(results(uninterrupted)[test]);
  });

  it('goes on where num_epochs is raised, to what a longer run ends with', async () => {
    const path = directory('raised', { num_epochs: 2 });
    await finish(path);
    expect(Object.keys(results(path))).to.include('metrics_test_best_weights.json');
    directory('raised');
    expect(await finish(path)).to.contain('\nResuming after epoch 2, step 0\n');
    expectSameResults(path);
  });

  it('starts over with --fresh, even from a damaged checkpoint, and keeps what was there', async () => {
    const path = join(scratch, 'fresh');
    cpSync(uninterrupted, path, { recursive: true });
    truncateSync(join(path, 'last.safetensors'), 1000);
    const { 'params.json': params, ...before } = snapshot(path);
    expect(await finish(path, '--fresh')).to.contain(`Moved earlier results to ${join(path, 'before_1')}\n`);
    expect(snapshot(join(path, 'before_1'))).to.deep.equal(before);
    expect(snapshot(path)['params.json']).to.equal(params);
    expectSameResults(path);
    expect(readFileSync(join(path, 'train.log'), 'utf8').match(/: Epoch 1\//g)).to.have.length(1);
  });

  // With a vanishing learning rate the parameters stay those that a run begins with.
  const frozen = { learning_rate: 1e-30, num_epochs: 1 };
  const parametersIn = (path: string) =>
    [...readSafetensors(join(path, 'best.safetensors')).tensors]
      .filter(([name]) => /\.(weight|bias)$/.test(name))
      .map(([name, array]) => [name, Buffer.from(bytesOf(array)).toString('hex')]);

  it('starts anew from its best weights with --restore_file best, twice where that is asked twice', async () => {
    const path = join(scratch, 'best');
    cpSync(uninterrupted, path, { recursive: true });
    directory('best', frozen);
    expect(parametersIn(uninterrupted)).to.have.length(18);
    for (const aside of ['before_1', 'before_2']) {
      const said = await finish(path, '--restore_file', 'best');
      expect(said).to.match(/\nRestoring parameters from [^\n]*best.safetensors\n(Teacher [^\n]*\n)?Epoch 1\/1\n/);
      expect(existsSync(join(path, aside, 'best.safetensors'))).to.equal(true);
      expect(parametersIn(path)).to.deep.equal(parametersIn(uninterrupted));
    }
    expect(results(join(path, 'before_1'))).to.deep.equal(results(uninterrupted));
  });

  it('starts from the weights of another file with --restore_file', async () => {
    const path = directory('from_file', frozen);
    const file = join(uninterrupted, 'best.safetensors');
    expect(await finish(path, '--restore_file', file)).to.contain(`\nRestoring parameters from ${file}\n`);
    expect(parametersIn(path)).to.deep.equal(parametersIn(uninterrupted));
    expect(existsSync(join(path, 'before_1'))).to.equal(false);
  });

  it('that starts over and is interrupted says that --restore_file last goes on', async () => {
    const path = join(scratch, 'fresh_interrupted');
    cpSync(uninterrupted, path, { recursive: true });
    const { exitCode, stdout } = await start(path, ['--fresh'], { after: 'Epoch 2/', signal: 'SIGINT' });
    expect(exitCode).to.equal(130);
    expect(stdout).to.match(/; run with --restore_file last to resume\n$/);
    await finish(path, '--restore_file', 'last');
    expectSameResults(path);
  });
});

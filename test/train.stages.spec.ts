/** train.ts with a method of several runs: an assistant first, then the student. */
import { expect } from 'chai';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { experiment, readJsonIn, results, snapshot, train, writeInitialWeights, type Kill } from './helpers/train';
import { readSafetensors } from '../utils/safetensors';

describe('a run in stages', function () {
  this.timeout(120_000);
  const scratch = mkdtempSync(join(tmpdir(), 'train-stages-'));
  const whole = join(scratch, 'whole');
  const stage = (path: string) => join(path, 'stages', '1_cnn');
  after(() => rmSync(scratch, { recursive: true }));

  const directory = (name: string) =>
    experiment(join(scratch, name), {
      model_version: 'cnn_distill',
      method: { name: 'takd', assistants: ['cnn'] },
      teacher: { model: 'cnn', num_channels: 8, checkpoint: join(scratch, 'teacher.safetensors') },
      dataset: { name: 'shapes', train: 200, test: 50 },
      num_epochs: 2,
    });
  const start = (path: string, kill?: Kill, ...args: string[]) => train(scratch, ['--model_dir', path, ...args], kill);
  const ended = (path: string) => [stage(path), path].map((one) => Object.keys(results(one)).length);

  before(async () => {
    writeInitialWeights(join(scratch, 'teacher.safetensors'), 'cnn', 8);
    const { exitCode, stderr } = await start(directory('whole'));
    expect(stderr).to.equal('');
    expect(exitCode).to.equal(0);
  });

  it('leaves a whole run in the directory of each', () => {
    expect(ended(whole)).to.deep.equal([8, 8]);
    expect(readdirSync(stage(whole))).to.include.members(['params.json', 'run.json', 'train.log']);
    const { method } = readJsonIn<{ method: { name: string }[] }>(stage(whole), 'params.json');
    expect(method.map(({ name }) => name)).to.deep.equal(['kd']);
  });

  it('says of each that it is finished, and touches nothing', async () => {
    const before = snapshot(whole);
    const { exitCode, stdout } = await start(whole);
    expect(exitCode).to.equal(0);
    const line = (path: string) => `${path}: finished after 2 epoch(s); raise "num_epochs" to go on\n`;
    expect(stdout).to.equal(line(stage(whole)) + line(whole));
    expect(snapshot(whole)).to.deep.equal(before);
  });

  it('that is interrupted in a stage goes on in it, and ends with the same bytes', async () => {
    const path = directory('interrupted');
    const { exitCode } = await start(path, { after: 'Epoch 2/', signal: 'SIGINT' });
    expect(exitCode).to.equal(130);
    expect(existsSync(join(path, 'last.safetensors'))).to.equal(false);
    const { exitCode: code, stdout } = await start(path);
    expect(code).to.equal(0);
    expect(stdout).to.match(/\nGoing on after epoch 1, step \d\n/);
    expect(ended(path)).to.deep.equal([8, 8]);
    // The params in `last` name the assistant's checkpoint, which is where the run is.
    const last = (of: string) => readSafetensors(join(of, 'last.safetensors')).tensors;
    expect(last(path)).to.deep.equal(last(whole));
    const others = (of: string) => ({ ...results(of), 'last.safetensors': undefined });
    expect(others(path)).to.deep.equal(others(whole));
    expect(results(stage(path))).to.deep.equal(results(stage(whole)));
  });
});

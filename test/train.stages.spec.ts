/** train.ts with a method of several runs: an assistant first, then the student. */
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { expect } from 'chai';
import { readSafetensors, writeSafetensors } from '../formats/safetensors';
import { trainDisturbed } from './helpers/disturbances';
import { experiment, readJsonIn, results, snapshot, train, writeInitialWeights, type Kill } from './helpers/train';

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
    expect(ended(whole)).to.deep.equal([10, 10]);
    expect(readdirSync(stage(whole))).to.include.members(['params.json', 'run.json', 'train.log']);
    const { method } = readJsonIn<{ method: { name: string }[] }>(stage(whole), 'params.json');
    expect(method.map(({ name }) => name)).to.deep.equal(['kd']);
  });

  it('says of each that it is finished, and touches nothing', async () => {
    const before = snapshot(whole);
    const { exitCode, stdout } = await start(whole);
    expect(exitCode).to.equal(0);
    const line = (path: string) => `${path}: finished after 2 epochs; raise "num_epochs" to train longer\n`;
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
    expect(stdout).to.match(/\nResuming after epoch 1, step \d\n/);
    expect(ended(path)).to.deep.equal([10, 10]);
    expect(results(path)).to.deep.equal(results(whole));
    expect(results(stage(path))).to.deep.equal(results(stage(whole)));
  });

  /** A run that is interrupted in its second stage. */
  async function interrupted(name: string): Promise<string> {
    const path = directory(name);
    const { counts, exitCode } = await trainDisturbed(['--model_dir', path], {
      place: 'step',
      at: 11,
      what: 'SIGTERM',
    });
    expect([counts.step, exitCode]).to.deep.equal([11, 143]);
    expect(ended(path)).to.deep.equal([10, 6]);
    return path;
  }

  const finish = async (path: string) => {
    const { error, stderr } = await trainDisturbed(['--model_dir', path]);
    expect([error, stderr]).to.deep.equal([undefined, '']);
    expect(results(path)).to.deep.equal(results(whole));
    expect(results(stage(path))).to.deep.equal(results(stage(whole)));
  };

  const spellings: Record<string, (path: string) => string> = {
    'with a slash at its end': (path) => `${path}/`,
    'from the working directory': (path) => `./${relative(process.cwd(), path)}`,
    'through a link': (path) => {
      symlinkSync(path, `${path}_link`);
      return `${path}_link`;
    },
    'after a move': (path) => {
      renameSync(path, `${path}_moved`);
      return `${path}_moved`;
    },
  };
  for (const [name, spelt] of Object.entries(spellings)) {
    it(`goes on where its directory is given ${name}, and ends with the same bytes`, async () => {
      await finish(spelt(await interrupted(name.replaceAll(' ', '_'))));
    });
  }

  it('goes on from a checkpoint of an earlier version, which had the path of the stage as it was given', async () => {
    const path = await interrupted('earlier');
    const file = join(path, 'last.safetensors');
    const { tensors, metadata } = readSafetensors(file);
    const params = metadata.params!.replace('{model_dir}', 'experiments/earlier');
    expect(params).to.contain('"experiments/earlier/stages/1_cnn/best.safetensors"');
    writeSafetensors(file, tensors, { ...metadata, params });
    await finish(path);
  });
});

/** Options of the training step in a run of train.ts: interrupting and going on, early stopping, wrong keys. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { bytesOf } from '../formats/ndarray';
import { readSafetensors } from '../formats/safetensors';
import { collectRuns } from '../report/collect/collect';
import { RunDirectory } from '../runs/run_directory';
import { experiment, readJsonIn, results, train, writeInitialWeights } from './helpers/train';

describe('train.ts', function () {
  this.timeout(120_000);
  const scratch = mkdtempSync(join(tmpdir(), 'train-recipe-'));
  after(() => rmSync(scratch, { recursive: true }));
  before(() => writeInitialWeights(join(scratch, 'start.safetensors'), 'cnn', 4));

  const start = (path: string, kill?: Parameters<typeof train>[2]) => train(scratch, ['--model_dir', path], kill);
  const finish = async (path: string) => {
    const { exitCode, stdout, stderr } = await start(path);
    expect(stderr).to.equal('');
    expect(exitCode).to.equal(0);
    return stdout;
  };

  it('goes on in the middle of an accumulation, with averages, noise, and balanced classes, to the bit', async () => {
    const all = {
      dataset: { name: 'shapes', train: 200, test: 50 },
      num_epochs: 6,
      batch_size: 16,
      init: { checkpoint: 'start.safetensors', skip: ['fc2'] },
      freeze: ['conv1', 'bn1'],
      learning_rates: { 'fc2*': 0.01 },
      class_weights: 'balanced',
      label_smoothing: 0.1,
      label_noise: 0.2,
      sampling: 'balanced',
      accumulate: 100,
      clip_norm: 1,
      ema: 0.5,
      augmentation: [{ name: 'mixup', alpha: 1 }],
    };
    const [whole, parted] = [experiment(join(scratch, 'whole'), all), experiment(join(scratch, 'parted'), all)];
    await finish(whole);
    const { exitCode } = await start(parted, { after: 'Epoch 2/', signal: 'SIGINT' });
    expect(exitCode).to.equal(130);
    // An accumulation lasts an epoch, so that whatever step it is stands in the middle of one.
    expect(new RunDirectory(parted).readLast()!.position.step).to.be.greaterThan(0);
    await finish(parted);
    expect(results(parted)).to.deep.equal(results(whole));

    // Frozen weights are those of the file; the others are not.
    const { tensors: first } = readSafetensors(join(scratch, 'start.safetensors'));
    const { tensors: best } = readSafetensors(join(whole, 'best.safetensors'));
    const same = [...first.keys()].filter(
      (name) => Buffer.compare(bytesOf(first.get(name)!), bytesOf(best.get(name)!)) === 0,
    );
    const fixed = ['conv1.weight', 'conv1.bias', 'bn1.weight', 'bn1.bias'];
    expect(same).to.include.members([...fixed, 'bn1.running_mean', 'bn1.running_var', 'bn1.num_batches_tracked']);
    expect(same.filter((name) => !/^(conv1|bn1)\./.test(name))).to.deep.equal([]);
    expect([...best.keys()]).to.deep.equal([...first.keys()]);
  });

  it('stops early, says so, is finished then, and begins another run from its directory', async () => {
    // Steps of this size change no prediction.
    const path = experiment(join(scratch, 'stopping'), {
      num_epochs: 30,
      learning_rate: 1e-12,
      early_stopping: { patience: 2 },
    });
    const said = await finish(path);
    expect(said)
      .to.contain('\nStopped early after epoch 3: no better accuracy for 2 epochs\n')
      .and.contain('- Test metrics');
    expect(readFileSync(join(path, 'metrics.jsonl'), 'utf8').trim().split('\n')).to.have.length(3);
    expect(readJsonIn<object>(path, 'run.json')).to.include({ stopped_after: 3 });
    expect(collectRuns(path).map(({ status }) => status)).to.deep.equal(['finished']);
    expect(await finish(path)).to.equal(`${path}: finished after 3 epochs; by "early_stopping"\n`);
    await finish(experiment(join(scratch, 'warm'), { init: { checkpoint: path }, learning_rate: 1e-12 }));
    const of = (run: string) => readSafetensors(join(run, 'best.safetensors')).tensors.get('fc2.weight')!.data;
    const [before, after] = [of(path), of(join(scratch, 'warm'))];
    before.forEach((value, i) => expect(Number(after[i])).to.be.closeTo(Number(value), 1e-8));
  });

  it('names a wrong key in one line, before anything is written', async () => {
    const path = experiment(join(scratch, 'wrong'), { freeze: ['conv1', 'layer*'] });
    const { exitCode, stderr } = await start(path);
    expect(exitCode).to.equal(1);
    const known = 'conv1, bn1, conv2, bn2, conv3, bn3, fc1, fcbn1, fc2';
    const file = join(path, 'params.json');
    expect(stderr).to.equal(
      `error: ${file}: "freeze": "layer*" matches no parameter of the network; parameter names begin with ${known}\n`,
    );
    expect(collectRuns(path)).to.deep.equal([]);
  });
});

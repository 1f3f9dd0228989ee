/** What a run records of itself is what it trained, whatever becomes of its files afterwards. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import sharp from 'sharp';
import { readSafetensors, writeSafetensors } from '../formats/safetensors';
import { collectRuns } from '../report/collect/collect';
import { columnsOf } from '../report/table/columns';
import { rowsOf } from '../report/table/rows';
import { messageOf } from '../utils/errors';
import { experiment, readJsonIn, results, runScript, writeInitialWeights } from './helpers/train';
import { trainHere } from './helpers/train_here';

const quick = {
  model_version: 'mlp',
  hidden_sizes: [8],
  num_channels: undefined,
  dataset: { name: 'shapes', train: 100, test: 40 },
  batch_size: 16,
  num_epochs: 2,
  learning_rate: 0.01,
  threads: 1,
};

/** `<dir>/{train,val}/{cat,dog}`: six and two plain images a class. */
async function writeFolder(dir: string): Promise<void> {
  for (const [part, count] of Object.entries({ train: 6, val: 2 })) {
    for (const [name, red] of Object.entries({ cat: 0, dog: 200 })) {
      mkdirSync(join(dir, part, name), { recursive: true });
      for (let i = 0; i < count; i++) {
        const background = { r: red, g: 20 * i, b: 90 };
        await sharp({ create: { width: 32, height: 32, channels: 3, background } }).toFile(
          join(dir, part, name, `${i}.png`),
        );
      }
    }
  }
}

describe('what a run records', function () {
  this.timeout(60_000);
  const scratch = mkdtempSync(join(tmpdir(), 'train-record-'));
  after(() => rmSync(scratch, { recursive: true }));
  const directory = (name: string, changes: object = {}) => experiment(join(scratch, name), { ...quick, ...changes });

  async function finish(...args: string[]): Promise<string> {
    const { error, stdout, stderr } = await trainHere(args);
    expect(error).to.equal(undefined);
    expect(stderr).to.equal('');
    return stdout;
  }

  async function refusal(...args: string[]): Promise<string> {
    const { error } = await trainHere(args);
    return messageOf(error);
  }

  const runIn = (path: string) => readJsonIn<Record<string, Record<string, unknown>>>(path, 'run.json');

  it('has params.json as it was when the run began, and as it counted', async () => {
    const path = directory('resolved', { optimizer: 'adam' });
    await finish('--model_dir', path);
    const { params, resolved } = runIn(path);
    expect(params).to.deep.equal(readJsonIn(path, 'params.json'));
    expect(resolved).to.deep.include({
      ...quick,
      num_channels: 32,
      optimizer: 'adam',
      method: { name: 'nokd' },
      seed: 230,
      accumulate: 1,
      dataset: { ...quick.dataset, seed: 0 },
    });
  });

  it('is not what params.json was edited to while the run began', async () => {
    // A method of one's own that, when it is loaded, edits the file that was just read.
    const file = JSON.stringify(join(scratch, 'while_it_begins', 'params.json'));
    const module = join(scratch, 'own_method.js');
    writeFileSync(
      module,
      `const fs = require('node:fs');
      fs.writeFileSync(${file}, fs.readFileSync(${file}, 'utf8').replace('0.01', '0.9'));
      exports.default = { needsTeacher: false, losses: () => ({}) };`,
    );
    const path = directory('while_it_begins', { method: module });
    await finish('--model_dir', path);
    expect(readJsonIn(path, 'params.json')).to.include({ learning_rate: 0.9 });
    expect(runIn(path).params).to.include({ learning_rate: 0.01 });
    expect(runIn(path).resolved).to.include({ learning_rate: 0.01 });
    const [record] = readFileSync(join(path, 'metrics.jsonl'), 'utf8').split('\n');
    expect(JSON.parse(record!)).to.include({ learning_rate: 0.01 });
  });

  it('is what a report shows of a run whose params.json was edited since, with a mark', async () => {
    const path = directory('edited/run');
    await finish('--model_dir', path);
    experiment(path, { ...quick, learning_rate: 0.9 });
    const [run] = collectRuns(join(scratch, 'edited'));
    expect(run!.params.get('learning_rate')).to.equal(0.01);
    expect(run!.status).to.equal('finished');
    expect(run!.changed).to.deep.equal(['learning_rate']);
  });

  it('is the same experiment where a default is written out', async () => {
    const spelledOut = [{}, { alpha: 0.9, accumulate: 1, device: 'auto' }, { method: 'nokd', threads: 1 }];
    for (const [i, changes] of spelledOut.entries()) {
      await finish('--model_dir', directory(`defaults/${i}`, { ...changes, seed: i, device: 'auto' }));
    }
    const rows = rowsOf(collectRuns(join(scratch, 'defaults')));
    expect(rows.map(({ runs }) => runs.length)).to.deep.equal([3]);
  });

  it('has columns for what was given, and none for defaults that only some methods have', async () => {
    await finish('--model_dir', directory('columns/alone', { alpha: 0.5 }));
    await finish('--model_dir', directory('columns/teacher_free', { method: 'tfkd' }));
    const shown = columnsOf(rowsOf(collectRuns(join(scratch, 'columns')))).filter((column) => column.shown);
    const names = shown.map(({ name }) => name);
    expect(names).to.include.members(['alpha', 'method']).and.not.to.include('method.temperature');
  });

  it('goes on where a default was written out meanwhile', async () => {
    const path = directory('written_out');
    await finish('--model_dir', path);
    experiment(path, { ...quick, num_epochs: 3, alpha: 0.9, accumulate: 1, on_nan: 'stop' });
    expect(await finish('--model_dir', path)).to.contain('Resuming after epoch 2');
  });

  describe('says what is given and not used', () => {
    const warned = async (name: string, changes: object) => {
      const stdout = await finish('--model_dir', directory(`unused/${name}`, { num_epochs: 1, ...changes }));
      return stdout.split('\n').filter((line) => line.includes('does not use'));
    };

    it('such as a teacher of a model that trains alone', async () => {
      expect(await warned('teacher', { teacher: 'resnet18', alpha: 0.5, temperature: 3 })).to.deep.equal([
        'params.json gives "teacher", "alpha" and "temperature", which this run does not use; to train with a ' +
          'teacher, set "model_version" to "mlp_distill" or choose a "method"',
      ]);
    });

    it('such as options of other networks and optimizers', async () => {
      const changes = { num_channels: 8, momentum: 0.5, optimizer: 'adam', data_dir: 'nowhere' };
      expect(await warned('options', changes)).to.deep.equal([
        'params.json gives "num_channels", "momentum" and "data_dir", which this run does not use',
      ]);
    });

    it('and nothing where all is used, or says that there is no teacher', async () => {
      expect(await warned('none', { teacher: 'none', alpha: 0, temperature: 1 })).to.deep.equal([]);
      expect(await warned('all', { optimizer: 'sgd', momentum: 0.5, dropout_rate: 0.5 })).to.deep.equal([]);
    });

    it('by what the losses of a method read', async () => {
      writeInitialWeights(join(scratch, 'cnn.safetensors'), 'cnn', 4);
      const teacher = { model: 'cnn', num_channels: 4, checkpoint: join(scratch, 'cnn.safetensors') };
      const changes = { method: 'logits_mse', teacher, alpha: 0.5, temperature: 3 };
      expect(await warned('method', changes)).to.deep.equal([
        'params.json gives "temperature", which this run does not use',
      ]);
    });
  });

  it('refuses the search of a directory without search.json, over alpha and temperature, for a model that trains alone', async () => {
    const path = directory('classic', { teacher: 'resnet18' });
    const { exitCode, stdout, stderr } = await runScript('search_hyperparams.ts', scratch, ['--parent_dir', path]);
    expect([exitCode, stdout, stderr]).to.deep.equal([
      1,
      '',
      `error: ${path}/search.json: no trial uses any of alpha, temperature ("model_version" is "mlp"): all trials would be ` +
        'identical\n',
    ]);
  });

  describe('a cosine whose num_epochs is raised', () => {
    const cosine = { schedule: { type: 'cosine' }, num_epochs: 2 };

    it('is told with both rates, kept in run.json, and followed when the run is trained once more', async () => {
      const path = directory('raised', cosine);
      await finish('--model_dir', path);
      experiment(path, { ...quick, ...cosine, num_epochs: 4 });
      expect(await finish('--model_dir', path)).to.contain(
        '"num_epochs" was 2 and is now 4: the cosine is stretched, the learning rate of epoch 3 is 0.005 after 0.005\n',
      );
      expect(runIn(path).plans).to.deep.equal([
        { from_step: 0, num_epochs: 2 },
        { from_step: 12, num_epochs: 4 },
      ]);
      const target = join(scratch, 'raised_again');
      const stdout = await finish('--reproduce', path, '--model_dir', target);
      expect(stdout).to.contain('best weights: bit-identical');
      expect(readFileSync(join(target, 'metrics.jsonl'))).to.deep.equal(readFileSync(join(path, 'metrics.jsonl')));
    });
  });

  describe('of where its data and teacher lie', () => {
    it('may change for the same bytes: a run that was moved with them ends with the same bits', async () => {
      const trained = (root: string, epochs: number) => {
        const teacher = { model: 'mlp', hidden_sizes: [8], checkpoint: join(root, 'teacher', 'best.safetensors') };
        const dataset = { name: 'folder', dir: join(root, 'images'), size: 32, cache: join(root, 'cache') };
        experiment(join(root, 'teacher'), { ...quick, dataset });
        const params = { ...quick, model_version: 'mlp_distill', teacher, dataset, num_epochs: epochs };
        return experiment(join(root, 'run'), params);
      };
      for (const name of ['whole', 'before']) {
        await writeFolder(join(scratch, name, 'images'));
        trained(join(scratch, name), 1);
        await finish('--model_dir', join(scratch, name, 'teacher'));
      }
      await finish('--model_dir', trained(join(scratch, 'whole'), 3));
      await finish('--model_dir', trained(join(scratch, 'before'), 1));
      renameSync(join(scratch, 'before'), join(scratch, 'moved'));
      expect(await finish('--model_dir', trained(join(scratch, 'moved'), 3))).to.contain('Resuming after epoch 1');
      const bits = (name: string) => {
        const { 'last.safetensors': last, ...rest } = results(join(scratch, name, 'run'));
        expect(last).to.be.a('string');
        return rest;
      };
      expect(bits('moved')).to.deep.equal(bits('whole'));
    });

    it('may not for other images: a folder that grew is refused', async () => {
      const images = join(scratch, 'grown', 'images');
      await writeFolder(images);
      const dataset = { name: 'folder', dir: images, size: 32, cache: join(scratch, 'grown', 'cache') };
      const path = directory('grown/run', { dataset, num_epochs: 1 });
      await finish('--model_dir', path);
      cpSync(join(images, 'train', 'cat', '0.png'), join(images, 'train', 'cat', 'more.png'));
      experiment(path, { ...quick, dataset, num_epochs: 2 });
      const before = results(path);
      expect(await refusal('--model_dir', path)).to.match(
        /grown\/run: the data set has changed: it has 13 training and 4 test images, the run started with 12 training .*--fresh/,
      );
      expect(results(path)).to.deep.equal(before);
    });

    it('goes on with images that an earlier version enlarged, once "resize" says so', async () => {
      const images = join(scratch, 'enlarged', 'images');
      await writeFolder(images);
      const own = { name: 'folder', dir: images, size: 32, cache: join(scratch, 'enlarged', 'cache') };
      const path = directory('enlarged/run', { dataset: { ...own, resize: 37 }, num_epochs: 1 });
      await finish('--model_dir', path);
      // As such a version left it: without the key.
      for (const name of ['last.safetensors', 'previous.safetensors'].filter((file) => existsSync(join(path, file)))) {
        const { tensors, metadata } = readSafetensors(join(path, name));
        const params = JSON.parse(metadata.params!) as { dataset: { resize?: number } };
        delete params.dataset.resize;
        writeSafetensors(join(path, name), tensors, { ...metadata, params: JSON.stringify(params) });
      }
      experiment(path, { ...quick, dataset: own, num_epochs: 2 });
      expect(await refusal('--model_dir', path)).to.contain('the data set has changed');
      experiment(path, { ...quick, dataset: { ...own, resize: 40 }, num_epochs: 2 });
      expect(await refusal('--model_dir', path)).to.contain('"dataset.resize" (was absent, is 40) changed');
      experiment(path, { ...quick, dataset: { ...own, resize: 37 }, num_epochs: 2 });
      expect(await finish('--model_dir', path)).to.contain('Resuming after epoch 1');
    });

    it('may not for another teacher', async () => {
      const checkpoint = join(scratch, 'replaced.safetensors');
      writeInitialWeights(checkpoint, 'cnn', 4);
      const changes = { model_version: 'mlp_distill', teacher: { model: 'cnn', num_channels: 4, checkpoint } };
      const path = directory('replaced', changes);
      await finish('--model_dir', path);
      const { tensors } = readSafetensors(checkpoint);
      tensors.get('fc1.bias')!.data[0] = 1;
      writeSafetensors(checkpoint, tensors);
      experiment(path, { ...quick, ...changes, num_epochs: 3 });
      expect(await refusal('--model_dir', path)).to.contain(
        `${checkpoint} is not the teacher that the run started with`,
      );
    });
  });
});

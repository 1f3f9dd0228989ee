/**
 * Tests the scripts and the readers of formats/. Pipes, devices and links that lead nowhere where a file should be: one line
 * that names them, and nobody waits.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { readWeights } from '../formats/checkpoints';
import { readNpy } from '../formats/npy';
import { loadDataset } from '../model/data';
import { loadCifar10 } from '../model/data/sets/cifar10';
import { loadMnist } from '../model/data/sets/mnist';
import { loadStl10 } from '../model/data/sets/stl10';
import { checkpointPath, readExperiment } from '../model/experiment/experiment';
import { loadMethod } from '../model/experiment/own_methods';
import { planRepetition } from '../model/experiment/reproduce';
import { collectRuns } from '../report/collect/collect';
import { digestOfFile } from '../runs/provenance';
import { RunDirectory } from '../runs/run_directory';
import { Journal, readJournal } from '../search/journal';
import { localLauncher } from '../search/launchers/local';
import { readSettings } from '../search/settings/settings';
import { curveOf, lastWords, prepareChild, scoreOf } from '../search/trials/child';
import { UserError } from '../utils/errors';
import { openLog } from '../utils/logger';
import { SharedCache } from '../utils/shared_cache';
import { finished, writeRun } from './helpers/runs';
import { makePipe } from './helpers/special_files';
import { experiment, runScript, snapshot } from './helpers/train';
import { trainHere } from './helpers/train_here';
import { writeFakeCifar10 } from './model/data/fakeCifar10';
import { writeFakeFolder, writeFakeMnist, writeFakeStl10 } from './model/data/fakes';

describe('special files', function () {
  if (process.platform === 'win32') return;
  this.timeout(60_000);
  const scratch = mkdtempSync(join(tmpdir(), 'special-files-'));
  let folders = 0;
  const newFolder = () => join(scratch, String(folders++));
  const newFolderMade = () => {
    const directory = newFolder();
    mkdirSync(directory);
    return directory;
  };
  let cleaners: (() => void)[] = [];
  after(() => rmSync(scratch, { recursive: true }));
  afterEach(() => {
    for (const clean of cleaners) clean();
    cleaners = [];
  });

  /** A pipe in place of what has this name; a test that waits at it is let go after some seconds, and fails. */
  function pipe(path: string): string {
    rmSync(path, { recursive: true, force: true });
    cleaners.push(makePipe(path));
    return path;
  }

  /** The line of the UserError that something ends with. */
  async function complaint(action: () => unknown): Promise<string> {
    try {
      await action();
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      expect(error.message).not.to.include('\n');
      return error.message;
    }
    return 'no complaint';
  }

  describe('in the directory of a run', () => {
    const quick = { model_version: 'mlp', hidden_sizes: [4], dataset: { name: 'shapes', train: 60, test: 20 } };
    const trained = join(scratch, 'trained');
    before(async () => {
      experiment(trained, { ...quick, num_epochs: 1 });
      expect((await trainHere(['--model_dir', trained])).error).to.equal(undefined);
    });
    const copy = () => {
      const directory = newFolder();
      cpSync(trained, directory, { recursive: true });
      return experiment(directory, { ...quick, num_epochs: 2 });
    };

    it('end its training with a line that names them, each of its files', async () => {
      const names = readdirSync(trained).filter((name) => name !== 'params.json');
      expect(names).to.include.members(['train.log', 'run.json', 'events', 'last.safetensors', 'best.safetensors']);
      for (const name of [...names, '.lock', 'params.json']) {
        const directory = copy();
        const path = pipe(join(directory, name));
        const before = snapshot(directory);
        const { error } = await trainHere(['--model_dir', directory]);
        expect(error, name).to.be.instanceOf(UserError);
        const reason = name === 'events' ? 'cannot be written: EEXIST: file already exists' : 'not a regular file';
        const line = (error as Error).message;
        expect(line.startsWith(`${path}: `), line).to.equal(true);
        expect(line.endsWith(reason), line).to.equal(true);
        expect(lstatSync(path).isFIFO(), name).to.equal(true);
        // Epoch 2 may be over by then; no file is gone.
        expect(snapshot(directory), name).to.include.keys(Object.keys(before));
      }
    });

    it('are put aside with the rest by --fresh', async () => {
      const directory = copy();
      for (const name of ['run.json', 'metrics.jsonl', 'train.log', 'last.safetensors']) pipe(join(directory, name));
      expect((await trainHere(['--model_dir', directory, '--fresh'])).error).to.equal(undefined);
      expect(lstatSync(join(directory, 'before_1', 'last.safetensors')).isFIFO()).to.equal(true);
      expect(new RunDirectory(directory).isFinished()).to.equal(true);
    });

    it('such as a link to a checkpoint on a disk that is away are not taken for none', async () => {
      const directory = copy();
      const last = join(directory, 'last.safetensors');
      rmSync(last);
      symlinkSync(join(scratch, 'away', 'last.safetensors'), last);
      const { error } = await trainHere(['--model_dir', directory]);
      expect((error as Error).message).to.equal(`${last}: broken link`);
      expect(lstatSync(last).isSymbolicLink()).to.equal(true);
      expect(existsSync(join(directory, 'before_1'))).to.equal(false);
      for (const name of ['params.json', 'best.safetensors', 'metrics_test_best_weights.json']) {
        rmSync(join(directory, name));
        symlinkSync('nowhere', join(directory, name));
      }
      const run = new RunDirectory(directory);
      expect(await complaint(() => readExperiment(run.file('params.json')))).to.match(/broken link$/);
      expect(await complaint(() => readWeights(checkpointPath(run, 'best')))).to.match(/broken link$/);
      expect(await complaint(() => planRepetition(directory, undefined))).to.match(/: not finished/);
    });

    it('are named where they are the weights, the logits or the method that params.json names', async () => {
      const file = pipe(join(newFolderMade(), 'file'));
      const method = pipe(join(newFolderMade(), 'method.ts'));
      const teacher = (from: object) => ({ ...quick, model_version: 'mlp_distill', teacher: from, augmentation: 'no' });
      const named: object[] = [
        { ...quick, init: { checkpoint: file } },
        teacher({ model: 'mlp', checkpoint: file }),
        teacher({ logits: file }),
        teacher({ onnx: file }),
      ];
      for (const params of named) {
        const { error } = await trainHere(['--model_dir', experiment(newFolder(), params)]);
        expect((error as Error).message).to.equal(`${file}: cannot be read: not a regular file`);
      }
      expect(await complaint(() => loadMethod(method))).to.equal(`${method}: not a regular file; "method" names it`);
      expect(await complaint(() => digestOfFile(file))).to.match(/not a regular file$/);
      expect(await complaint(() => readNpy(file))).to.match(/not a regular file$/);
    });
  });

  it('are named by a report, which has all other runs', () => {
    const files = readdirSync(writeRun(newFolder(), finished({ alpha: 1 }, 0.5)));
    expect(files).to.include.members(['params.json', 'run.json', 'metrics.jsonl']);
    const parent = newFolder();
    writeRun(join(parent, 'sound'), finished({ alpha: 1 }, 0.5));
    for (const name of [...files, '.lock'])
      pipe(join(writeRun(join(parent, `of_${name}`), finished({ alpha: 1 }, 0.5)), name));
    const folder = writeRun(join(parent, 'folder'), finished({ alpha: 1 }, 0.5));
    rmSync(join(folder, 'run.json'));
    mkdirSync(join(folder, 'run.json'));
    const link = writeRun(join(parent, 'link'), finished({ alpha: 1 }, 0.5));
    rmSync(join(link, 'metrics.jsonl'));
    symlinkSync('nowhere', join(link, 'metrics.jsonl'));
    pipe(join(parent, 'search.journal.jsonl'));
    const told = Object.fromEntries(
      collectRuns(parent).map(({ directory, status, errors }) => [
        directory,
        [status, ...errors.map(({ file, reason }) => `${file}: ${reason}`)],
      ]),
    );
    const broken = (name: string) => ['broken', `${name}: cannot be read: not a regular file`];
    expect(told).to.deep.equal({
      sound: ['finished'],
      ...Object.fromEntries([...files, '.lock'].map((name) => [`of_${name}`, broken(name)])),
      folder: broken('run.json'),
      link: ['broken', 'metrics.jsonl: a link, which is not followed'],
    });
  });

  it('are named by a search', async () => {
    const directory = newFolderMade();
    const at = (name: string) => pipe(join(directory, name));
    const named: [name: string, action: (path: string) => unknown][] = [
      ['search.json', (path) => readSettings(path)],
      ['search.journal.jsonl', (path) => readJournal(path)],
      ['search.journal.jsonl', (path) => new Journal(path)],
      ['search_hyperparameters.log', (path) => openLog(path)],
      ['params.json', () => prepareChild(directory, {}, (given) => given)],
      ['metrics.jsonl', () => curveOf(directory, 'val_accuracy')],
      [
        'metrics_val_best_weights.json',
        () => rmSync(join(directory, 'metrics.jsonl')) ?? scoreOf(directory, 'val_loss'),
      ],
      ['run.json', () => new RunDirectory(directory).diverged()],
      ['launcher.log', () => lastWords(directory)],
    ];
    for (const [name, action] of named) {
      const path = at(name);
      expect(await complaint(() => action(path)), name).to.match(/: cannot be (read|written): not a regular file$/);
    }
    // The log of the start before moves aside, whatever it is.
    at('launcher.log');
    await (
      await localLauncher(['true'], 10).launch(directory)
    ).ended;
    expect(lstatSync(join(directory, 'launcher.1.log')).isFIFO()).to.equal(true);
    at('metrics_test_best_weights.json');
    expect(new RunDirectory(directory).isFinished()).to.equal(false);
    // A search.json that is away is not the search that is made where there is none.
    const settings = join(directory, 'search.json');
    rmSync(settings);
    symlinkSync('nowhere', settings);
    expect(await complaint(() => readSettings(settings))).to.equal(`${settings}: broken link`);
  });

  describe('among images', () => {
    it('are named: files of data sets', async () => {
      const cases: [write: (dir: string) => void, name: string, load: (dir: string) => unknown][] = [
        [writeFakeCifar10, 'data_batch_1.bin', loadCifar10],
        [writeFakeCifar10, 'batches.meta.txt', loadCifar10],
        [writeFakeMnist, 't10k-labels-idx1-ubyte', (dir) => loadMnist(dir, 'mnist')],
        [writeFakeStl10, 'train_X.bin', (dir) => loadStl10(dir, 'labeled')],
      ];
      for (const [write, name, load] of cases) {
        const dir = newFolder();
        write(dir);
        pipe(join(dir, name));
        const line = await complaint(() => load(dir));
        expect(line.startsWith(dir) && line.includes(name), line).to.equal(true);
      }
    });

    it('are no reason to download them again: a link to a disk that is away', async () => {
      const dir = newFolder();
      symlinkSync(join(scratch, 'away'), dir);
      expect(await complaint(() => loadDataset({ name: 'cifar10', dir }))).to.equal(`${dir}: not a folder`);
      expect(readdirSync(scratch).filter((name) => name.startsWith('.'))).to.deep.equal([]);
    });

    it('of a folder are bad images, are decoded anew where they were kept, and no class is left out in silence', async () => {
      const dir = newFolder();
      await writeFakeFolder(dir);
      const cache = newFolder();
      const spec = { name: 'folder', dir, size: 16, test: 0.2, seed: 0, cache, cache_gigabytes: 1 } as const;
      const load = () => loadDataset({ ...spec, on_bad_image: 'refuse' });
      const before = await load();
      const [kept] = readdirSync(cache);
      const images = readdirSync(join(cache, kept!)).filter((name) => name.endsWith('.rgb'));
      expect(images).not.to.have.lengthOf(0);
      for (const name of images) pipe(join(cache, kept!, name));
      const after = await load();
      if (!('read' in before.train) || !('read' in after.train)) throw new Error('not read from files');
      expect(await after.train.read(0)).to.deep.equal(await before.train.read(0));

      const [name] = readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((file) => /\.\w+$/.test(file));
      const image = pipe(join(dir, name!));
      expect(await complaint(load))
        .to.match(/: not a file; remove bad images/)
        .and.include(image);
      rmSync(image);
      const link = join(dir, readdirSync(dir).includes('train') ? 'train' : '', 'elsewhere');
      symlinkSync('nowhere', link);
      expect(await complaint(load)).to.equal(`${link}: broken link`);
    });
  });

  it('in place of a lock hold up no process at its end', () => {
    const path = join(newFolderMade(), '.lock');
    execFileSync('mkfifo', [path]);
    const heartbeat = JSON.stringify(join(__dirname, '..', 'runs', 'heartbeat'));
    const code = `require(${heartbeat}).startHeartbeat(${JSON.stringify(path)}, '{}', 0.02); setTimeout(() => {}, 500)`;
    const argv = ['-r', 'ts-node/register', '-e', code];
    const { status, signal, stderr } = spawnSync(process.execPath, argv, { timeout: 20_000, encoding: 'utf8' });
    expect({ status, signal, stderr }).to.deep.equal({ status: 0, signal: null, stderr: '' });
  });

  it('in a cache are as good as none', () => {
    const cache = new SharedCache(newFolderMade(), 1e6, (line) => expect.fail(line));
    expect(cache.write('a/kept', Uint8Array.of(1, 2, 3))).to.equal(true);
    pipe(join(cache.directory, 'a', 'pipe'));
    for (const length of [undefined, 2]) expect(cache.read('a/pipe', 0, length)).to.equal(undefined);
    expect(cache.has('a/pipe')).to.equal(false);
    expect(cache.list('a')).to.deep.equal([{ name: join('a', 'kept'), bytes: 3 }]);
  });

  it('are not replaced by results', async () => {
    const parent = newFolder();
    writeRun(join(parent, 'run'), finished({ alpha: 1 }, 0.5));
    const out = pipe(join(parent, 'out.csv'));
    const args = ['--parent_dir', parent, '--format', 'csv', '--out', out];
    const { exitCode, stdout, stderr } = await runScript('synthesize_results.ts', scratch, args);
    expect([exitCode, stderr]).to.deep.equal([
      1,
      `warning: ${out}: cannot be written: not a regular file; use --out to write another file\n`,
    ]);
    expect(stdout).to.include('│ run');
    expect(lstatSync(out).isFIFO()).to.equal(true);
  });
});

/**
 * Tests train.ts, search/ and report/ on hostile input. Names that mean something to a shell or in a path, files that claim to
 * be huge, and settings that would never end.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { delimiter, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { loadCifar10 } from '../model/data/sets/cifar10';
import { loadMnist } from '../model/data/sets/mnist';
import { loadStl10 } from '../model/data/sets/stl10';
import { readExperiment } from '../model/experiment/experiment';
import { collectRuns } from '../report/collect/collect';
import { readJournal } from '../search/journal';
import { slurmLauncher } from '../search/launchers/slurm';
import { Cluster } from '../search/launchers/slurm_cluster';
import { parseSettings } from '../search/settings/settings';
import { curveOf } from '../search/trials/child';
import { UserError } from '../utils/errors';
import { readJson, writeFileAtomic } from '../utils/files';
import { openLog } from '../utils/logger';
import { finished, writeRun } from './helpers/runs';
import { childrenOf, ended, makeSearch, runSearch, startSearch, statesIn } from './helpers/searching';
import { experiment, runScript, snapshot } from './helpers/train';
import { fakeRecords, writeFakeCifar10 } from './model/data/fakeCifar10';
import { writeFakeMnist, writeFakeStl10 } from './model/data/fakes';

/** The lines of the UserError that an action throws. */
function complaint(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof UserError) return error.message;
    throw error;
  }
  return 'no complaint';
}

describe('hostile names', function () {
  this.timeout(60_000);
  let scratch: string;
  beforeEach(() => (scratch = mkdtempSync(join(tmpdir(), 'hostile-'))));
  afterEach(() => rmSync(scratch, { recursive: true }));
  /** What a shell that got to see a name would have made. */
  const executed = (...folders: string[]) =>
    ['.', scratch, ...folders].filter((folder) => existsSync(join(folder, 'executed')));

  it('are names to a search and nothing else, in values and in the path of its directory', async () => {
    const values = ['$(touch executed)', "'; touch executed; '", '"\n|`touch executed`', '../../outside', 'a\0b'];
    const made = makeSearch({ space: { label: [...values, `-rf${'x'.repeat(5000)}`] }, n_jobs: 4 });
    const directory = join(scratch, `$(touch executed) "quoted" 'twice'; touch executed\n& ~ *`);
    execFileSync('cp', ['-r', made, directory]);
    rmSync(made, { recursive: true });
    const { error } = await runSearch(directory);
    expect(error).to.equal(undefined);
    expect(Object.values(statesIn(directory))).to.deep.equal(Array(6).fill('complete'));
    for (const name of childrenOf(directory)) expect(name).to.match(/^label_[A-Za-z0-9._+-]{0,94}$/);
    expect(childrenOf(directory)).to.have.lengthOf(6);
    expect(readdirSync(scratch)).to.have.lengthOf(1);
    const labels = childrenOf(directory).map(
      (name) => (readJson(join(directory, name, 'params.json')) as { label: string }).label,
    );
    expect(labels).to.include.members(values);
    expect(executed(directory, ...childrenOf(directory).map((name) => join(directory, name)))).to.deep.equal([]);
  });

  it('reach Slurm as arguments, and its script hands them on as they are', async function () {
    if (process.platform === 'win32') return this.skip();
    // Commands that keep their arguments, each with a zero byte behind it.
    const bin = join(scratch, 'bin');
    mkdirSync(bin);
    for (const name of ['sbatch', 'squeue', 'scancel']) {
      const path = join(bin, name);
      writeFileSync(
        path,
        `#!/bin/sh\nprintf '%s\\0' "$@" >> '${scratch}/${name}.args'\necho '7 COMPLETED 0 0:00 None'\n`,
      );
      chmodSync(path, 0o755);
    }
    const saw = (name: string) => {
      const file = join(scratch, `${name}.args`);
      return existsSync(file) ? readFileSync(file, 'utf8').split('\0').slice(0, -1) : [];
    };
    const before = process.env.PATH;
    process.env.PATH = `${bin}${delimiter}${before}`;
    try {
      const directory = join(scratch, 'a $(touch executed)\n"b"', 'alpha_0.5');
      mkdirSync(directory, { recursive: true });
      const silent = { info() {}, warn() {}, error() {} };
      const launcher = slurmLauncher(['node', '$(touch executed)', "'x'"], {}, 1, new Cluster(silent, () => false, 10));
      const ending = await (await launcher.launch(directory)).ended;
      const args = saw('sbatch');
      expect(args.slice(-5)).to.deep.equal(['node', '$(touch executed)', "'x'", '--model_dir', directory]);
      expect(args).to.include(`--error=${join(directory, 'launcher.log')}`);
      expect(ending.how).to.match(/COMPLETED/);
      const script = args.at(-6)!;
      const said = execFileSync('sh', [script, 'printf', '%s|', '$(touch executed)', 'a b', '"\n\'', '*'], {
        encoding: 'utf8',
      });
      expect(said).to.equal('$(touch executed)|a b|"\n\'|*|');

      // What a file says is the number of a job goes no further where it is none.
      for (const text of ['--user=root', '-a', '1 2', '', '7; touch executed', '7\n']) {
        rmSync(join(scratch, 'squeue.args'), { force: true });
        writeFileSync(join(directory, 'slurm.job'), text);
        expect(await launcher.resume(directory), text).to.equal(undefined);
        expect(saw('squeue'), text).to.deep.equal(['-h', `--user=${userInfo().uid}`, '-O', 'JobID:20,Comment:200']);
      }
      writeFileSync(join(directory, 'slurm.job'), '7');
      await launcher.resume(directory);
      expect(saw('squeue')).to.include('7');
      expect(saw('scancel')).to.deep.equal([]);
    } finally {
      process.env.PATH = before;
    }
    expect(executed()).to.deep.equal([]);
  });

  it('of an experiment are a path to train.ts and to the report', async () => {
    const name = `$(touch executed) {a,b}[c]* 'd'\u001b[2J;touch executed`;
    const directory = experiment(join(scratch, name), { dataset: { name: 'shapes', train: 64, test: 10 } });
    const { exitCode, stdout, stderr } = await runScript('train.ts', scratch, ['--model_dir', directory]);
    expect({ exitCode, stderr }).to.deep.equal({ exitCode: 0, stderr: '' });
    expect(stdout).not.to.include('\u001b');
    expect(collectRuns(directory).map((run) => [run.directory, run.status])).to.deep.equal([['.', 'finished']]);
    expect(collectRuns(scratch).map((run) => run.directory)).to.deep.equal([name]);
    expect(readdirSync(scratch)).to.deep.equal([name]);
    const refused = await runScript('train.ts', scratch, ['--model_dir', join(scratch, 'no\u001b[2J\u009b')]);
    expect(refused.stderr).to.equal(`error: ${scratch}/no�[2J�: no such directory\n`);
    expect(executed(directory)).to.deep.equal([]);
  });

  it('in a journal are refused where they are no name of a trial', async () => {
    const directory = makeSearch({ space: { alpha: [0.1, 0.5] } });
    const path = join(directory, 'search.journal.jsonl');
    try {
      expect((await runSearch(directory)).error).to.equal(undefined);
      const [begin] = readFileSync(path, 'utf8').split('\n');
      for (const name of [
        '../outside',
        '..',
        '/outside',
        'a/b',
        'a\0b',
        '',
        '.lock',
        'x'.repeat(256),
        '$(touch executed)',
      ]) {
        writeFileSync(
          path,
          `${begin}\n${JSON.stringify({ event: 'proposed', name, trial: 0, point: { alpha: 0.1 } })}\n`,
        );
        const before = snapshot(directory);
        expect(
          complaint(() => readJournal(path)),
          name,
        ).to.include(`${path}: line 2 is not an event of a search`);
        expect(snapshot(directory)).to.deep.equal(before);
      }
      const { exitCode, stderr } = await ended(startSearch(['--parent_dir', directory]));
      expect([exitCode, stderr]).to.deep.equal([
        1,
        `error: ${path}: line 2 is not an event of a search; move the file away to start over: finished trials are kept\n`,
      ]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('of links lead no writer elsewhere', function () {
    if (process.platform === 'win32') return this.skip();
    const outside = join(scratch, 'outside');
    const folder = join(scratch, 'run');
    mkdirSync(folder);
    writeFileSync(outside, 'mine');
    for (const name of ['train.log', 'metrics.jsonl']) symlinkSync(outside, join(folder, name));
    const log = join(folder, 'train.log');
    expect(complaint(() => openLog(log))).to.match(new RegExp(`^${log}: cannot be written: ELOOP`));
    writeFileAtomic(join(folder, 'metrics.jsonl'), 'ours');
    expect(readFileSync(join(folder, 'metrics.jsonl'), 'utf8')).to.equal('ours');
    expect(readFileSync(outside, 'utf8')).to.equal('mine');
  });

  it('of keys that every object has change none', () => {
    const text = '{"__proto__": {"polluted": 1}, "constructor": {"prototype": {"polluted": 1}}, "prototype": 1}';
    const path = join(scratch, 'params.json');
    writeFileSync(path, `${text.slice(0, -1)}, "model_version": "cnn", "learning_rate": 0.1, "num_epochs": 1}`);
    expect(complaint(() => readExperiment(path)).split('\n')).to.deep.equal(
      ['__proto__', 'constructor', 'prototype'].map((key) => `${path}: "${key}" is not a key`),
    );
    for (const place of ['space', 'sampler', 'pruner', 'slurm']) {
      const search = `{"space": {"alpha": [1]}, "${place}": ${text}}`;
      expect(
        complaint(() => parseSettings(JSON.parse(search), 's')),
        place,
      ).to.match(/^s: ".*__proto__"|^s: "space" must/m);
    }
    const run = writeRun(join(scratch, 'run'), finished({ alpha: 1 }, 0.5));
    for (const name of ['params.json', 'run.json']) writeFileSync(join(run, name), text);
    writeFileSync(join(run, 'metrics.jsonl'), '{"__proto__": {"loss": 1}, "epoch": 1}\n');
    expect(collectRuns(run)[0]!.params.get('__proto__.polluted')).to.equal(1);
    expect(({} as { polluted?: number }).polluted).to.equal(undefined);
  });
});

describe('files that claim too much', function () {
  this.timeout(60_000);
  let scratch: string;
  beforeEach(() => (scratch = mkdtempSync(join(tmpdir(), 'claims-'))));
  afterEach(() => rmSync(scratch, { recursive: true }));
  /** Megabytes that an action takes at most, as far as the process keeps them. */
  const growth = (action: () => unknown) => {
    const before = process.memoryUsage().rss;
    action();
    return (process.memoryUsage().rss - before) / 2 ** 20;
  };

  it('are refused by the depth of their JSON', () => {
    const deep = '{"a":['.repeat(100_000);
    const path = join(scratch, 'params.json');
    writeFileSync(path, deep);
    expect(complaint(() => readExperiment(path))).to.equal(
      `${path}: not valid JSON: it is nested more than 100 levels deep`,
    );
    writeFileSync(path, `{"alpha": ${'['.repeat(100_000)}${']'.repeat(100_000)}}`);
    expect(complaint(() => readExperiment(path))).to.match(/nested more than 100 levels deep$/);
    const run = writeRun(join(scratch, 'run'), finished({ alpha: 1 }, 0.5));
    writeFileSync(join(run, 'metrics.jsonl'), `${deep}\n`);
    expect(complaint(() => curveOf(run, 'val_loss'))).to.match(/metrics\.jsonl: line 1: not valid JSON: [^\n]*$/);
    writeFileSync(join(run, 'run.json'), deep);
    expect(collectRuns(run)[0]!.errors.map(({ file }) => file)).to.deep.equal(['run.json', 'metrics.jsonl']);
    writeFileSync(join(run, 'search.journal.jsonl'), `${deep}\n`);
    expect(complaint(() => readJournal(join(run, 'search.journal.jsonl')))).to.match(
      /line 1 is not an event of a search/,
    );
  });

  it('are refused by what would become of them once unpacked, before all of it is there', () => {
    writeFakeMnist(scratch);
    const member = gzipSync(Buffer.alloc(2 ** 25));
    writeFileSync(join(scratch, 't10k-images-idx3-ubyte.gz'), Buffer.concat(Array<Buffer>(40).fill(member)));
    expect(complaint(() => loadMnist(scratch, 'mnist'))).to.match(
      /t10k-images-idx3-ubyte\.gz: not a whole gzip file: it holds more than 1073741824 bytes$/,
    );
  });

  it('are refused by sizes that cost nothing to claim', () => {
    const cases: [
      write: (folder: string) => void,
      file: string,
      records: number,
      load: (folder: string) => unknown,
      says: RegExp,
    ][] = [
      [writeFakeCifar10, 'data_batch_1.bin', fakeRecords(0, 1).length, loadCifar10, /bytes, accepted are up to/],
      [writeFakeStl10, 'train_X.bin', 27648, (folder) => loadStl10(folder, 'labeled'), /bytes, accepted are up to/],
      [
        writeFakeMnist,
        'train-images-idx3-ubyte',
        784,
        (folder) => loadMnist(folder, 'mnist'),
        /cannot be read: .*2 GiB/,
      ],
    ];
    for (const [write, file, record, load, says] of cases) {
      const folder = join(scratch, file);
      write(folder);
      // A sparse file: half a terabyte that takes no room on the disk.
      truncateSync(join(folder, file), record * Math.floor(2 ** 39 / record));
      let said = '';
      expect(
        growth(() => (said = complaint(() => load(folder)))),
        file,
      ).to.be.below(300);
      expect(said).to.match(says);
    }
  });

  it('are no files: a pipe would never end, a device neither', function () {
    if (process.platform === 'win32') return this.skip();
    const run = writeRun(join(scratch, 'run'), finished({ alpha: 1 }, 0.5));
    for (const name of ['params.json', 'metrics.jsonl', 'search.journal.jsonl']) {
      const path = join(run, name);
      rmSync(path, { force: true });
      if (spawnSync('mkfifo', [path]).status !== 0) return this.skip();
    }
    symlinkSync('/dev/zero', join(run, 'search.json'));
    expect(complaint(() => readJson(join(run, 'search.json')))).to.match(
      /search\.json: cannot be read: not a regular file$/,
    );
    expect(complaint(() => readExperiment(join(run, 'params.json')))).to.match(/cannot be read: not a regular file$/);
    expect(complaint(() => readJournal(join(run, 'search.journal.jsonl')))).to.match(/not a regular file$/);
    expect(complaint(() => curveOf(run, 'val_loss'))).to.match(/not a regular file$/);
    expect(collectRuns(scratch)).to.have.lengthOf(1);
  });
});

describe('files that may not be read', () => {
  it('are named in one line', function () {
    if (process.platform === 'win32') return this.skip();
    const scratch = mkdtempSync(join(tmpdir(), 'unreadable-'));
    chmodSync(scratch, 0o755);
    writeFakeCifar10(join(scratch, 'cifar'));
    writeFakeMnist(join(scratch, 'mnist'));
    experiment(join(scratch, 'run'));
    const locked = ['cifar/data_batch_1.bin', 'mnist/train-labels-idx1-ubyte.gz', 'run/params.json'].map((file) =>
      join(scratch, file),
    );
    for (const path of locked) chmodSync(path, 0o000);
    // Root may read everything; for the length of this test it is somebody else.
    const isRoot = process.getuid!() === 0;
    if (isRoot) process.seteuid!(65534);
    try {
      const reads = [
        () => loadCifar10(join(scratch, 'cifar')),
        () => loadMnist(join(scratch, 'mnist'), 'mnist'),
        () => readExperiment(join(scratch, 'run', 'params.json')),
      ];
      for (const [i, read] of reads.entries()) {
        expect(complaint(read)).to.match(/^[^\n]+: cannot be read: EACCES: permission denied[^\n]*$/);
        expect(complaint(read).startsWith(`${locked[i]}: `)).to.equal(true);
      }
      expect(collectRuns(scratch)).to.deep.equal([]);
    } finally {
      if (isRoot) process.seteuid!(0);
      rmSync(scratch, { recursive: true });
    }
  });
});

describe('settings without end', () => {
  const refusal = (params: object) => {
    const directory = experiment(mkdtempSync(join(tmpdir(), 'endless-')), params);
    try {
      return complaint(() => readExperiment(join(directory, 'params.json'))).replaceAll(
        `${directory}/params.json: `,
        '',
      );
    } finally {
      rmSync(directory, { recursive: true });
    }
  };

  it('are refused: more globs, layers, threads and pixels than any run has use for', () => {
    const cases: [object, RegExp][] = [
      [{ freeze: Array<string>(201).fill('*a*b') }, /^"freeze" must be an array of 1 to 200 globs/],
      [{ freeze: ['*'.repeat(201)] }, /^"freeze\.0" must be a glob such as "layer\*", of 1 to 200 characters/],
      [{ init: { checkpoint: 'a', skip: Array<string>(201).fill('a') } }, /^"init\.skip" must be an array of 1 to 200/],
      [
        { learning_rates: { ['*a'.repeat(101)]: 0.1 } },
        /^"learning_rates" must be globs of 1 to 200 characters, got "\*a/,
      ],
      [
        { learning_rates: Object.fromEntries(Array.from({ length: 201 }, (_, i) => [`a${i}`, 1])) },
        /^"learning_rates" must/,
      ],
      [{ threads: 1e9 }, /^"threads" must be <= 1024, got 1000000000$/],
      [{ num_workers: 1e9 }, /^"num_workers" must be <= 1024/],
      [{ num_channels: 1e300 }, /^"num_channels" must be <= 65536/],
      [{ hidden_sizes: [1e9] }, /^"hidden_sizes\.0" must be an integer from 1 to 65536/],
      [{ dataset: { name: 'mnist', pad: 1e9 } }, /^"dataset\.pad" must be <= 64/],
      [{ dataset: { name: 'shapes', seed: 1e300 } }, /^"dataset\.seed" must be <= 4294967295/],
    ];
    for (const [params, says] of cases) expect(refusal(params)).to.match(says).and.not.include('\n');
  });

  it('are refused in as many lines as one can read', () => {
    const lines = refusal({ class_weights: Array<string>(100_000).fill('x') }).split('\n');
    expect(lines).to.have.lengthOf(21);
    expect(lines[20]).to.equal('and 99980 more');
  });

  it('are refused: a grid of more points than anyone trains, and conditions on too many of them', () => {
    const line = (search: object) => complaint(() => parseSettings(search, 's'));
    const range = { low: 0, high: 1e12, integer: true };
    expect(line({ space: { a: range, b: range } })).to.match(
      /^s: "space" has \d+e\+24 points: "n_trials" must say|^s: "space" has 1\.0+\d*e\+24 points/,
    );
    expect(line({ space: { a: range }, n_trials: 5 })).to.equal('no complaint');
    expect(line({ space: { a: [1] }, n_trials: 10_001 })).to.equal('s: "n_trials" must be <= 10000, got 10001');
    const chain = Object.fromEntries(
      Array.from({ length: 40 }, (_, i) => [
        `p${i}`,
        {
          values: [0, 1],
          ...(i > 0 && { when: Object.fromEntries(Array.from({ length: i }, (_, j) => [`p${j}`, [0, 1]])) }),
        },
      ]),
    );
    expect(line({ space: chain })).to.match(
      /^s: "space" must have at most 10000 combinations of what "when" looks at, got 549755813888$/,
    );
    expect(line({ space: Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`p${i}`, [1]])) })).to.match(
      /^s: "space" must be an object with 1 to 100 keys/,
    );
  });
});

/** The command as a user meets it: a process, killed and started again, and what it says to wrong input. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { readJournal } from '../../search/journal';
import { readSettings } from '../../search/settings/settings';
import { childrenOf, countOf, ended, killUntilDone, makeSearch, startSearch, statesIn } from '../helpers/searching';
import { snapshot } from '../helpers/train';

describe('search_hyperparams.ts', function () {
  this.timeout(60_000);
  const directories: string[] = [];
  after(() => directories.forEach((directory) => rmSync(directory, { recursive: true, force: true })));
  const prepare: typeof makeSearch = (...args) => {
    const directory = makeSearch(...args);
    directories.push(directory);
    return directory;
  };
  const run = (directory: string, ...args: string[]) => ended(startSearch(['--parent_dir', directory, ...args]));
  const change = (directory: string, search: object) =>
    writeFileSync(join(directory, 'search.json'), JSON.stringify(search));

  it('loses nothing and does nothing twice, however often it is killed', async () => {
    const alpha = Array.from({ length: 12 }, (_, i) => (i + 1) / 16);
    const directory = prepare({ space: { alpha }, n_jobs: 3 }, { epoch_ms: 150 });
    const kills = await killUntilDone(directory, 1500);
    expect(kills).to.be.at.least(2);
    expect(Object.values(statesIn(directory))).to.deep.equal(Array(12).fill('complete'));
    expect(childrenOf(directory)).to.have.lengthOf(12);
    for (const name of childrenOf(directory)) expect(countOf('ends', directory, name), name).to.equal(1);
    const finished = readJournal(join(directory, 'search.journal.jsonl')).filter(({ event }) => event === 'finished');
    expect(finished).to.have.lengthOf(12);
  });

  it('waits for what a killed search has left running', async () => {
    const directory = prepare({ space: { alpha: [0.1] } }, { num_epochs: 20, epoch_ms: 100 });
    const first = startSearch(['--parent_dir', directory]);
    const end = ended(first);
    while (countOf('starts', directory, 'alpha_0.1') === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    first.kill('SIGKILL');
    await end;
    const { exitCode, stdout } = await run(directory);
    expect(exitCode).to.equal(0);
    expect(stdout).to.include(`Already running: ${join(directory, 'alpha_0.1')}\n`);
    expect(countOf('starts', directory, 'alpha_0.1')).to.equal(1);
    expect(statesIn(directory)).to.deep.equal({ 'alpha_0.1': 'complete' });
  });

  it('goes on where a default was written out in params.json meanwhile', async () => {
    const directory = prepare({ space: { alpha: [0.1, 0.2] } });
    expect((await run(directory)).exitCode).to.equal(0);
    const params = JSON.parse(readFileSync(join(directory, 'params.json'), 'utf8')) as object;
    writeFileSync(join(directory, 'params.json'), JSON.stringify({ ...params, seed: 230 }));
    change(directory, { space: { alpha: [0.1, 0.2, 0.3] } });
    expect((await run(directory, '--extend')).exitCode).to.equal(0);
    expect(Object.values(statesIn(directory))).to.deep.equal(Array(3).fill('complete'));
    writeFileSync(join(directory, 'params.json'), JSON.stringify({ ...params, seed: 231 }));
    const { exitCode, stderr } = await run(directory);
    expect([exitCode, stderr.split('\n')[0]]).to.deep.equal([
      1,
      `error: ${join(directory, 'params.json')}: "seed" was 230, is 231`,
    ]);
  });

  it('refuses to vary only what no training uses, and says where one of several is not', async () => {
    const directory = prepare({ space: { temperature: [1, 2, 4] } }, { model_version: 'cnn' });
    const before = snapshot(directory);
    for (const args of [[], ['--dry_run']]) {
      const { exitCode, stdout, stderr } = await run(directory, ...args);
      expect([exitCode, stdout, stderr]).to.deep.equal([
        1,
        '',
        `error: ${join(directory, 'search.json')}: no trial uses any of temperature ("model_version" is "cnn"): ` +
          'all trials would be identical\n',
      ]);
    }
    expect(snapshot(directory)).to.deep.equal(before);
    change(directory, { space: { temperature: [1], alpha: [0.5] } });
    const { exitCode, stdout } = await run(directory);
    expect(exitCode).to.equal(0);
    expect(stdout).to.include('\ntemperature: no trial uses it\n').and.not.to.include('alpha: no training');
  });

  it('saves when its terminal is closed, however often it is told', async () => {
    const directory = prepare({ space: { alpha: [0.1] } }, { num_epochs: 100, epoch_ms: 50 });
    const search = startSearch(['--parent_dir', directory]);
    const end = ended(search);
    while (childrenOf(directory).every((name) => countOf('starts', directory, name) === 0)) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    search.kill('SIGHUP');
    search.kill('SIGHUP');
    const { exitCode, stdout } = await end;
    expect(exitCode).to.equal(129);
    expect(stdout).to.match(/Interrupted after 0 of 1 trials; run the same command to resume\n$/);
  });

  it('saves on Ctrl-C and says how to go on', async () => {
    const directory = prepare({ space: { alpha: [0.1, 0.2] }, n_jobs: 2 }, { num_epochs: 100, epoch_ms: 50 });
    const search = startSearch(['--parent_dir', directory]);
    const end = ended(search);
    const isUnderWay = () =>
      childrenOf(directory).filter((name) => countOf('starts', directory, name) > 0).length === 2;
    while (!isUnderWay()) await new Promise((resolve) => setTimeout(resolve, 50));

    const second = await run(directory);
    expect(second.exitCode).to.equal(1);
    expect(second.stderr).to.match(/^error: .*: already in use by process \d+ on .*\n$/);

    search.kill('SIGINT');
    const { exitCode, stdout } = await end;
    expect(exitCode).to.equal(130);
    expect(stdout).to.match(/Interrupted after 0 of 2 trials; run the same command to resume\n$/);
    const log = readFileSync(join(directory, 'search_hyperparameters.log'), 'utf8');
    expect(log).to.match(/:INFO: Searching with grid, 2 at a time: 0 of 2 trials done\n/);
    expect(log).to.match(/:INFO: alpha: 0\.1, 0\.2\n/);
  });

  it('prints the trials of a dry run and writes nothing', async () => {
    const directory = prepare({ space: { alpha: [0.1, 0.2], schedule: [{ type: 'constant' }] } });
    const before = snapshot(directory);
    const { exitCode, stdout } = await run(directory, '--dry_run');
    expect(exitCode).to.equal(0);
    expect(stdout).to.match(/│ 1 +│ 0\.1 +│ \{"type":"constant"\} +│ alpha_0\.1_schedule_type-constant-\w+ +│ new +│/);
    expect(stdout).to.match(/│ 2 +│ 0\.2 +│/);
    expect(snapshot(directory)).to.deep.equal(before);
  });

  it('runs the published grid where there is no search.json', async () => {
    const directory = prepare({});
    rmSync(join(directory, 'search.json'));
    const { stdout } = await run(directory, '--dry_run');
    const names = stdout.match(/alpha_\S+/g)!;
    expect(names).to.have.lengthOf(40);
    expect([names[0], names[4], names[39]]).to.deep.equal([
      'alpha_0.99_Temp_20.0',
      'alpha_0.99_Temp_4.5',
      'alpha_0.05_Temp_1.5',
    ]);
  });

  it('refuses a changed search with what has changed, and accepts more of it with --extend', async () => {
    const directory = prepare({ space: { alpha: [0.1, 0.2] } }, { num_epochs: 1 });
    expect((await run(directory)).exitCode).to.equal(0);
    const searchJson = join(directory, 'search.json');

    change(directory, { space: { alpha: [0.1, 0.3] } });
    const other = await run(directory, '--extend');
    expect(other.exitCode).to.equal(1);
    expect(other.stderr).to.equal(
      `error: ${searchJson}: "space.alpha" has lost 0.2\n` +
        `error: ${searchJson}: "space.alpha" has gained 0.3\n` +
        `error: ${directory}: the search began with other settings: restore them to resume, or start a new search in another directory\n`,
    );

    change(directory, { space: { alpha: [0.3, 0.1, 0.2] } });
    const before = snapshot(directory);
    const refused = await run(directory);
    expect(refused.exitCode).to.equal(1);
    expect(refused.stderr).to.match(/"space\.alpha" has gained 0\.3\n(.*\n)*.*pass --extend to accept it/);
    expect(snapshot(directory)).to.deep.equal(before);

    expect((await run(directory, '--extend')).exitCode).to.equal(0);
    expect(statesIn(directory)).to.deep.equal({
      'alpha_0.1': 'complete',
      'alpha_0.2': 'complete',
      'alpha_0.3': 'complete',
    });
    for (const name of childrenOf(directory)) expect(countOf('starts', directory, name)).to.equal(1);

    writeFileSync(join(directory, 'params.json'), JSON.stringify({ num_epochs: 2, epoch_ms: 30 }));
    const params = await run(directory, '--dry_run');
    expect(params.exitCode).to.equal(1);
    expect(params.stderr).to.match(/^error: .*params\.json: "num_epochs" was 1, is 2\n/);
  });

  it('goes on where names of keys and flags have changed meanwhile', async () => {
    const directory = prepare({ space: { alpha: [0.1, 0.2] }, sampler: 'random', trials: 3 }, { num_epochs: 1 });
    const old = await run(directory, '--dry_run', '--trials', '1', '--parallel', '1');
    expect([old.stderr, old.exitCode]).to.deep.equal(['', 0]);
    expect(old.stdout).to.match(/│ 1 /).and.not.match(/│ 2 /);
    const path = join(directory, 'search.journal.jsonl');
    const { n_trials: trials, direction: goal, ...rest } = readSettings(join(directory, 'search.json'));
    const begun = { event: 'search', settings: { trials, goal, ...rest }, params: { num_epochs: 1, epoch_ms: 30 } };
    writeFileSync(path, `${JSON.stringify(begun)}\n`);
    change(directory, { space: { alpha: [0.1, 0.2] }, sampler: 'random', n_trials: 3 });
    const before = snapshot(directory);
    const now = await run(directory, '--dry_run');
    expect([now.stderr, now.exitCode]).to.deep.equal(['', 0]);
    expect(now.stdout).to.match(/│ 2 /);
    expect(snapshot(directory)).to.deep.equal(before);
  });

  const space = { alpha: [0.1] };
  const mistakes: [title: string, search: object, args: string[], exitCode: number, says: RegExp][] = [
    ['no --parent_dir', { space }, [], 2, /^--parent_dir is missing/],
    ['a directory that is not there', { space }, ['--parent_dir', 'DIR/none'], 1, /^DIR\/none: no such directory$/],
    [
      'a file for a directory',
      { space },
      ['--parent_dir', 'DIR/search.json'],
      1,
      /^DIR\/search.json: not a directory$/,
    ],
    [
      '--n_jobs 0',
      { space },
      ['--parent_dir', 'DIR', '--n_jobs', '0'],
      2,
      /^--n_jobs must be an integer from 1, got 0$/,
    ],
    [
      '--n_trials 1.5',
      { space },
      ['--parent_dir', 'DIR', '--n_trials', '1.5'],
      2,
      /^--n_trials must be an integer from 1, got 1.5$/,
    ],
    [
      'an option under both of its names',
      { space },
      ['--parent_dir', 'DIR', '--n_jobs', '1', '--parallel', '1'],
      2,
      /^--n_jobs and --parallel are two names of one option: keep --n_jobs$/,
    ],
    [
      'a key under both of its names',
      { space, direction: 'maximize', goal: 'maximize' },
      ['--parent_dir', 'DIR'],
      1,
      /^DIR\/search\.json: "direction" and "goal" are two names of one key: keep "direction"$/,
    ],
    [
      'an unknown sampler',
      { space },
      ['--parent_dir', 'DIR', '--sampler', 'cma'],
      2,
      /^--sampler must be one of grid, random/,
    ],
    [
      'far more threads than cores',
      { space, n_jobs: 1000 },
      ['--parent_dir', 'DIR'],
      1,
      /^DIR\/search\.json: "n_jobs" times "threads_per_trial" must be at most \d+ \(4 per core\), got 1000$/,
    ],
    ['a wrong search.json', { space: {} }, ['--parent_dir', 'DIR'], 1, /^DIR\/search.json: "space" must be/],
  ];
  for (const [title, search, args, exitCode, says] of mistakes) {
    it(`answers ${title} with one line`, async () => {
      const directory = prepare(search);
      const before = snapshot(directory);
      const end = await ended(startSearch(args.map((word) => word.replace('DIR', directory))));
      expect(
        end.stderr
          .replaceAll(directory, 'DIR')
          .replace(/^error: /, '')
          .trimEnd(),
      )
        .to.match(says)
        .and.not.include('\n');
      expect(end.exitCode).to.equal(exitCode);
      expect(snapshot(directory)).to.deep.equal(before);
    });
  }

  it('answers a missing params.json and a broken search.json with one line', async () => {
    const directory = prepare({ space });
    writeFileSync(join(directory, 'search.json'), '{ "space": ');
    const broken = await run(directory);
    expect([broken.exitCode, broken.stderr].join()).to.match(/^1,error: .*search\.json: not valid JSON: .*\n$/);
    rmSync(join(directory, 'params.json'));
    const missing = await run(directory);
    expect([missing.exitCode, missing.stderr].join()).to.equal(
      `1,error: ${join(directory, 'params.json')}: no such file\n`,
    );
  });
});

/** synthesize_results.ts as a user runs it. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { finished, writePublishedRuns, writeRun } from './helpers/runs';
import { experiment, runScript, train } from './helpers/train';

describe('synthesize_results.ts', function () {
  this.timeout(60_000);
  let cwd: string;
  beforeEach(() => (cwd = mkdtempSync(join(tmpdir(), 'synthesize-'))));
  afterEach(() => rmSync(cwd, { recursive: true }));

  const synthesize = (...args: string[]) => runScript('synthesize_results.ts', cwd, args);
  const read = (name: string) => readFileSync(join(cwd, name), 'utf8');

  async function fails(exitCode: number, line: string, ...args: string[]): Promise<void> {
    const ended = await synthesize(...args);
    expect(ended).to.deep.equal({ exitCode, signal: null, stdout: '', stderr: `error: ${line}\n` });
  }

  it('prints the table of 124 published runs, plain where it is piped, and keeps it', async () => {
    writePublishedRuns(join(cwd, 'experiments'));
    const { exitCode, stdout, stderr } = await synthesize('--sort', '-val_accuracy');
    expect({ exitCode, stderr }).to.deep.equal({ exitCode: 0, stderr: '' });
    const rows = stdout.split('\n').filter((line) => line.startsWith('│'));
    expect(rows).to.have.lengthOf(125);
    expect(rows[1]).to.match(/^│ resnet18_distill\/resnext_teacher .* 0\.9479† │ {3}0\.0000 │ finished │$/);
    expect(stdout).not.to.include('\u001b');
    expect(stdout).to.match(
      /\n† The epoch was, or may have been, chosen .*\n124 runs; table written to experiments\/results\.md\n$/,
    );
    const kept = read('experiments/results.md').split('\n');
    expect(kept.filter((line) => line.startsWith('|'))).to.have.lengthOf(126);
    expect(kept[2]).to.match(/^\| resnet18_distill\/resnext_teacher /);
  });

  it('keeps csv and json where they are asked for, and prints the table all the same', async () => {
    for (const seed of [1, 2]) writeRun(join(cwd, `p/seed_${seed}`), finished({ seed }, 0.5));
    const csv = await synthesize('--parent_dir', 'p', '--format', 'csv', '--columns', 'test_accuracy');
    expect(csv.stdout).to.include('│ seed_*    │ 0.5000 ± 0.0000 (2) │');
    expect(read('p/results.csv')).to.equal('directory,test_accuracy\r\nseed_1,0.5\r\nseed_2,0.5\r\n');
    const json = await synthesize('--parent_dir', 'p/', '--format=json', '--group_by', 'method');
    expect(json.stdout)
      .to.match(/^method: nokd\n/)
      .and.include('2 runs; table written to p/results.json');
    expect((JSON.parse(read('p/results.json')) as { runs: unknown[] }).runs).to.have.lengthOf(2);
    expect(readdirSync(join(cwd, 'p')).sort()).to.deep.equal(['results.csv', 'results.json', 'seed_1', 'seed_2']);
  });

  it('adds columns to the usual ones, and shows numbers with up to six digits', async () => {
    writeRun(join(cwd, 'p/a'), finished({ alpha: 0.123456789012345678 }, 0.5));
    writeRun(join(cwd, 'p/b'), finished({ alpha: 0.5 }, 0.6));
    const { stdout } = await synthesize('--parent_dir', 'p', '--columns', '+run.threads', '--mlflow', 'mlruns');
    expect(stdout).to.match(/^│ directory │ +alpha │ .*status +│ run.threads │$/m);
    expect(stdout).to.match(/^│ a +│ 0.123457 │/m);
    expect(stdout).to.match(/\n2 runs written to mlruns\n$/);
    expect(readdirSync(join(cwd, 'mlruns'))).to.have.lengthOf(1);
    const uri = 'http://127.0.0.1:5000';
    await fails(
      2,
      `--mlflow must be the path of a directory, not a URI, got "${uri}"`,
      '--parent_dir',
      'p',
      '--mlflow',
      uri,
    );
  });

  it('keeps a page, and its pictures beside it', async () => {
    for (const alpha of [1, 2]) writeRun(join(cwd, `p/alpha_${alpha}`), finished({ alpha }, 0.5));
    const { exitCode, stdout, stderr } = await synthesize('--parent_dir', 'p', '--format', 'html', '--sort', '-alpha');
    expect({ exitCode, stderr }).to.deep.equal({ exitCode: 0, stderr: '' });
    expect(stdout).to.match(/\n2 runs; table written to p\/report\.html\n\d figures written to p\/report\n$/);
    const [, data] = /id="data">(.*?)<\/script>/s.exec(read('p/report.html'))!;
    const { title, rows } = JSON.parse(data!) as { title: string; rows: { id: string }[] };
    expect([title, ...rows.map(({ id }) => id)]).to.deep.equal(['p', 'alpha_2', 'alpha_1']);
    expect(readdirSync(join(cwd, 'p', 'report'))).to.include.members(['loss.svg', 'parallel_coordinates.svg']);
    // Pictures are no runs.
    expect((await synthesize('--parent_dir', 'p')).stdout).to.match(/\n2 runs; /);
  });

  it('serves the page until Ctrl-C, also while there is no run yet', async () => {
    mkdirSync(join(cwd, 'p'));
    const args = ['--parent_dir', 'p', '--format', 'html', '--watch'];
    const kill = { after: 'press Ctrl-C to stop\n', signal: 'SIGINT' } as const;
    const { exitCode, signal, stdout, stderr } = await runScript('synthesize_results.ts', cwd, args, kill);
    expect({ exitCode, signal, stderr }).to.deep.equal({ exitCode: 130, signal: null, stderr: '' });
    expect(stdout).to.match(/\nhttp:\/\/127\.0\.0\.1:\d+\/ shows the runs live; press Ctrl-C to stop\n$/);
  });

  it('takes a baseline by its path from here or from the parent, and from elsewhere', async () => {
    for (const seed of [1, 2]) {
      writeRun(join(cwd, `p/kd/seed_${seed}`), finished({ alpha: 0.5, seed }, 0.7 + seed / 100));
      writeRun(join(cwd, `p/alone/seed_${seed}`), finished({ alpha: 0, seed }, 0.6 + seed / 100));
      writeRun(join(cwd, `elsewhere/seed_${seed}`), finished({ alpha: 1, seed }, 0.8 + seed / 100));
    }
    for (const baseline of ['p/alone', 'alone', join(cwd, 'p', 'alone', 'seed_2')]) {
      const { stdout } = await synthesize('--parent_dir', 'p', '--baseline', baseline, '--columns', 'row,verdict');
      expect(stdout).to.include('│ alone/seed_* │ baseline │').and.include('│ kd/seed_*    │ better   │');
    }
    const { stdout } = await synthesize('--parent_dir=p', '--baseline=elsewhere', '--columns=row,difference,verdict');
    expect(stdout)
      .to.match(/│ \.\.\/elsewhere\/seed_\* │ +│ baseline │/)
      .and.match(/│ kd\/seed_\* .* │ worse +│/);
    expect(stdout).to.match(/\n6 runs; /);
  });

  it('has a row for a broken run', async () => {
    writeRun(join(cwd, 'p/good'), finished({}, 0.5));
    writeFileSync(join(writeRun(join(cwd, 'p/bad'), finished({}, 0.5)), 'metrics_test_best_weights.json'), '{"acc');
    const { exitCode, stdout } = await synthesize('--parent_dir', 'p');
    expect(exitCode).to.equal(0);
    expect(stdout).to.include('│ broken: metrics_test_best_weights.json │');
    expect(stdout).to.match(/\nbad\/metrics_test_best_weights\.json: not valid JSON: .*\n/);
  });

  it('reads what train.ts writes, and so does the HParams plugin of TensorBoard', async () => {
    const path = experiment(join(cwd, 'p', 'run'), { num_epochs: 2 });
    expect((await train(cwd, ['--model_dir', path])).exitCode).to.equal(0);
    const columns = 'directory,status,best_epoch,test_accuracy,parameters,run.seed,num_epochs,chosen_on_test';
    const { exitCode } = await synthesize('--parent_dir', 'p', '--format', 'csv', '--columns', columns);
    expect(exitCode).to.equal(0);
    const test = JSON.parse(read('p/run/metrics_test_best_weights.json')) as { accuracy: number; epoch: number };
    const { parameters } = JSON.parse(read('p/run/run.json')) as { parameters: number };
    const values = ['run', 'finished', test.epoch, test.accuracy, parameters, 230, 2, false];
    expect(read('p/results.csv')).to.equal(`${columns}\r\n${values.join()}\r\n`);
    const [events] = readdirSync(join(path, 'events'));
    for (const tag of ['session_start_info', 'dataset.train', 'num_epochs', 'session_end_info']) {
      expect(readFileSync(join(path, 'events', events!)).includes(tag), tag).to.equal(true);
    }
  });

  it('tells in one line what is wrong', async () => {
    mkdirSync(join(cwd, 'empty'));
    writeRun(join(cwd, 'plan/a'), { params: { alpha: 1 } });
    writeRun(join(cwd, 'p/a'), finished({ alpha: 0.5 }, 0.5));
    await fails(1, 'experiments: no such directory');
    const none =
      'a run is a folder with metrics.jsonl or metrics_*_weights.json of train.ts, metrics.csv of Lightning, a CSV log of Keras ' +
      '(training.log, training.csv, training_log.csv, history.csv, log.csv) or TensorBoard events with an accuracy or a loss';
    await fails(1, `empty: contains no run with results: ${none}`, '--parent_dir', 'empty');
    await fails(1, `plan: contains no run with results: ${none}`, '--parent_dir', 'plan');
    await fails(2, '--format must be one of md, csv, json, html, got "xml"', '--parent_dir', 'p', '--format', 'xml');
    await fails(2, '--watch requires --format html', '--parent_dir', 'p', '--format', 'md', '--watch');
    const noSearch = 'p/search.journal.jsonl: no such search; --optuna needs the directory of one';
    await fails(1, noSearch, '--parent_dir', 'p', '--optuna', 'study.log');
    const unknown = (flag: string) => `${flag}: there is no column "test_acuracy"; did you mean "test_accuracy"?`;
    await fails(2, unknown('--sort'), '--parent_dir', 'p', '--sort', '-test_acuracy');
    await fails(2, unknown('--columns'), '--parent_dir', 'p', '--columns', 'alpha,test_acuracy');
    await fails(1, '--baseline: nowhere: no such directory', '--parent_dir', 'p', '--baseline', 'nowhere');
    await fails(1, `--baseline: ../empty contains no run: ${none}`, '--parent_dir', 'p', '--baseline', 'empty');
    expect(readdirSync(join(cwd, 'p'))).to.deep.equal(['a']);
    mkdirSync(join(cwd, 'p', 'results.md'));
    const { exitCode, stdout, stderr } = await synthesize('--parent_dir', 'p');
    expect(stderr).to.equal(
      'warning: p/results.md: cannot be written: not a regular file; use --out to write another file\n',
    );
    expect(stdout).to.match(/│ a +│/);
    expect(exitCode).to.equal(0);
    const asked = await synthesize('--parent_dir', 'p', '--out', 'none/table.md');
    expect(asked.stderr).to.match(/^warning: none\/table\.md: cannot be written: ENOENT: [^\n]*\n$/);
    expect([asked.exitCode, asked.stdout]).to.deep.equal([1, stdout]);
  });
});

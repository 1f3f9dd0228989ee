/**
 * Tests report/ and the scripts. Runs of others on a disk that is only read, and what killed commands left where results go.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { UserError } from '../utils/errors';
import { makeDirectory } from '../utils/files';
import { finished, writeRun } from './helpers/runs';
import { experiment, runScript, snapshot, type Ended } from './helpers/train';
import { trainHere } from './helpers/train_here';

const quick = { model_version: 'mlp', hidden_sizes: [4], dataset: { name: 'shapes', train: 60, test: 20 } };

describe('a directory that is only read', function () {
  this.timeout(120_000);
  const scratch = mkdtempSync(join(tmpdir(), 'read-only-'));
  const shared = join(scratch, 'shared');
  const run = join(shared, 'run');
  const out = join(scratch, 'out');
  const mount = (...options: string[]) => execFileSync('mount', [...options, shared], { stdio: 'ignore' });
  let isMounted = false;
  before(async function () {
    mkdirSync(shared);
    try {
      mount('-t', 'tmpfs', '-o', 'size=16m', 'tmpfs');
      isMounted = true;
    } catch {
      return this.skip();
    }
    experiment(run, quick);
    expect((await trainHere(['--model_dir', run])).error).to.equal(undefined);
    writeRun(join(shared, 'other'), finished({ alpha: 1 }, 0.5));
    writeFileSync(join(shared, 'params.json'), readFileSync(join(run, 'params.json')));
    writeFileSync(join(shared, 'search.json'), '{"space": {"learning_rate": [0.1, 0.5]}}');
    mount('-o', 'remount,ro');
  });
  after(() => {
    if (isMounted) execFileSync('umount', [shared]);
    rmSync(scratch, { recursive: true });
  });

  /** A command that reads there, and its results in a directory of one's own. */
  async function start(name: string, ...args: string[]): Promise<Ended> {
    const before = snapshot(shared);
    const ended = await runScript(name, scratch, args);
    expect(snapshot(shared)).to.deep.equal(before);
    return ended;
  }

  it('is said to be so, also of folders below one that is missing', () => {
    for (const path of [join(shared, 'new'), join(shared, 'new', 'below', 'it')]) {
      expect(() => makeDirectory(path)).to.throw(
        UserError,
        new RegExp(`^${path}: cannot be written: EROFS: read-only file system`),
      );
    }
  });

  it('has its table printed, with a warning that no file of it could be kept', async () => {
    const { exitCode, stdout, stderr } = await start('synthesize_results.ts', '--parent_dir', shared);
    const reason = 'cannot be written: EROFS: read-only file system; use --out to write another file';
    expect(stderr).to.equal(`warning: ${join(shared, 'results.md')}: ${reason}\n`);
    expect(stdout).to.match(/│ run +│/);
    expect(exitCode).to.equal(0);
    // Of these the content is not on the terminal: that they are missing is a failure.
    for (const format of ['csv', 'html']) {
      const ended = await start('synthesize_results.ts', '--parent_dir', shared, '--format', format);
      expect(ended.stderr).to.match(/^warning: [^\n]*: cannot be written: EROFS: [^\n]*\n$/);
      expect([ended.exitCode, ended.stdout]).to.deep.equal([1, stdout]);
    }
    for (const [format, name] of [
      ['md', 'table.md'],
      ['html', 'page.html'],
    ] as const) {
      mkdirSync(out, { recursive: true });
      const path = join(out, name);
      const ended = await start('synthesize_results.ts', '--parent_dir', shared, '--format', format, '--out', path);
      expect([ended.exitCode, ended.stderr]).to.deep.equal([0, '']);
      expect(ended.stdout).to.include(`2 runs; table written to ${path}\n`);
    }
    expect(readFileSync(join(out, 'table.md'), 'utf8')).to.match(/\n\| run /);
    expect(readdirSync(join(out, 'report'))).to.include('loss.svg');
  });

  it('is evaluated, exported, and its logits written, elsewhere', async () => {
    const refused = await start('evaluate.ts', '--model_dir', run);
    expect([refused.exitCode, refused.stderr]).to.deep.equal([
      1,
      `error: ${join(run, 'evaluation')}: cannot be written: EROFS: read-only file system\n`,
    ]);
    const evaluated = await start('evaluate.ts', '--model_dir', run, '--out', join(out, 'evaluation'));
    expect([evaluated.exitCode, evaluated.stderr]).to.deep.equal([0, '']);
    expect(evaluated.stdout).to.include(`Written to ${join(out, 'evaluation')}\n`);
    expect(readdirSync(join(out, 'evaluation'))).to.include('evaluation_val_best.json');

    const student = join(out, 'student.onnx');
    const exported = await start('export.ts', '--model_dir', run, '--out', student);
    const path = join(run, 'export.json');
    expect([exported.exitCode, exported.stderr]).to.deep.equal([
      0,
      `warning: ${path}: cannot be written: EROFS: read-only file system; the measurements are printed below\n`,
    ]);
    expect(exported.stdout).to.match(/20 test images.*\nWritten to [^\n]*student\.onnx\n$/s);
    expect(existsSync(student)).to.equal(true);

    const written = await start('generate_logits.ts', '--model_dir', run, '--out', join(out, 'logits'));
    expect([written.exitCode, written.stderr]).to.deep.equal([0, '']);
    expect(readdirSync(join(out, 'logits'))).to.deep.equal(['test_logits.npy', 'train_logits.npy']);
  });

  it('is profiled, searched in thought and trained once more, elsewhere', async () => {
    const again = join(out, 'again');
    const ended = await Promise.all([
      start('profile.ts', '--model_dir', run, '--steps', '2'),
      start('search_hyperparams.ts', '--parent_dir', shared, '--dry_run'),
      start('train.ts', '--reproduce', run, '--model_dir', again),
    ]);
    for (const { exitCode, stderr } of ended) {
      expect([exitCode, stderr.replace(/^warning: "batch_size" is 64: .*\n/, '')]).to.deep.equal([0, '']);
    }
    expect(ended[2].stdout).to.include(`${again} compared with ${run}`);
  });
});

describe('drafts of a killed command', function () {
  this.timeout(120_000);

  it('are removed by the next start, those of living processes and of others are not', async () => {
    const scratch = mkdtempSync(join(tmpdir(), 'drafts-'));
    const run = experiment(join(scratch, 'run'), quick);
    expect((await trainHere(['--model_dir', run])).error).to.equal(undefined);
    const gone = spawnSync(process.execPath, ['--version']).pid;
    const folders = ['', 'report', 'run', 'run/evaluation', 'logits'].map((name) => join(scratch, name));
    for (const folder of folders) {
      mkdirSync(folder, { recursive: true });
      for (const pid of [gone, process.pid]) writeFileSync(join(folder, `a.json.${pid}-0.draft`), 'half');
      writeFileSync(join(folder, 'notes.draft'), 'mine');
    }
    for (const [name, ...args] of [
      ['evaluate.ts', '--model_dir', run],
      ['export.ts', '--model_dir', run],
      ['generate_logits.ts', '--model_dir', run, '--out', join(scratch, 'logits')],
      ['synthesize_results.ts', '--parent_dir', scratch, '--format', 'html'],
    ] as const) {
      const { exitCode, stderr } = await runScript(name, scratch, args);
      expect([exitCode, stderr], name).to.deep.equal([0, '']);
    }
    for (const folder of folders) {
      const drafts = readdirSync(folder).filter((name) => name.endsWith('.draft'));
      expect(drafts, folder).to.deep.equal([`a.json.${process.pid}-0.draft`, 'notes.draft']);
    }
    rmSync(scratch, { recursive: true });
  });
});

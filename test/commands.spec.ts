/** What every command says to wrong input: one line, its exit code, and nothing is written. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { finished, writeRun } from './helpers/runs';
import { experiment, runScript, snapshot } from './helpers/train';

const root = join(__dirname, '..');
const commands = readdirSync(root).filter(
  (name) => name.endsWith('.ts') && readFileSync(join(root, name), 'utf8').includes('runMain('),
);

/** A command, its arguments, its exit code and what it says; DIR stands for the folder of all cases. */
type Case = readonly [command: string, args: readonly string[], exitCode: number, says: string | RegExp];

const cases: Case[] = [
  ...commands.map((name): Case => [name, ['--no_such_flag', '1'], 2, /^unknown option --no_such_flag$/]),
  ['train.ts', ['surplus'], 2, /'surplus'/],
  ['export.ts', ['--model_dir'], 2, /'--model_dir <value>' argument missing/],
  ['export.ts', ['--model_dir', 'DIR/none'], 1, 'DIR/none: no such directory'],
  ['generate_logits.ts', ['--model_dir', 'DIR/none'], 1, 'DIR/none: no such directory'],
  ...['evaluate.ts', 'export.ts', 'generate_logits.ts'].map((name): Case => [
    name,
    ['--model_dir', 'DIR/broken'],
    1,
    /^DIR\/broken\/params\.json: not valid JSON: /,
  ]),
  ['generate_logits.ts', ['--model_dir', 'DIR/list'], 1, 'DIR/list/params.json: must be an object, got an array of 0'],
  [
    'search_hyperparams.ts',
    ['--parent_dir', 'DIR/list'],
    1,
    'DIR/list/params.json: must be an object, got an array of 0',
  ],
  ['inspect.ts', ['--size', '32'], 2, '--file is missing: name a file, the directory of a run, or a network'],
  ['inspect.ts', ['--file', 'resnet20', '--size', '0'], 2, '--size must be an integer from 1 to 4096, got 0'],
  ['inspect.ts', ['--file', 'DIR/run/params.json'], 1, /params\.json: neither a safetensors file .*: it is JSON text$/],
  ['train.ts', ['--describe', 'nosuch'], 2, '--describe: there is no method "nosuch"; "all" lists every method'],
  ['train.ts', ['--describe', 'fitnets'], 2, /"fitnets"; did you mean fitnet\? "all" lists every method$/],
  ['quickstart.ts', ['--seeds', '0'], 2, '--seeds must be an integer from 1, got 0'],
  ['synthesize_results.ts', ['--parent_dir', 'DIR/run/params.json'], 1, 'DIR/run/params.json: not a directory'],
  [
    'synthesize_results.ts',
    ['--parent_dir', 'DIR/run', '--format', 'html', '--watch', '--port', '65536'],
    2,
    '--port must be an integer from 0 to 65535, got 65536',
  ],
];

describe('commands', function () {
  this.timeout(120_000);
  let scratch: string;
  before(() => {
    scratch = mkdtempSync(join(tmpdir(), 'commands-'));
    experiment(join(scratch, 'run'));
    writeRun(join(scratch, 'run'), finished({}, 0.5));
    for (const [name, text] of Object.entries({ broken: '{"model_version": "cnn"', list: '[]' })) {
      mkdirSync(join(scratch, name));
      writeFileSync(join(scratch, name, 'params.json'), text);
    }
  });
  after(() => rmSync(scratch, { recursive: true }));

  it('are all there', () => {
    expect(commands).to.include.members([
      'train.ts',
      'evaluate.ts',
      'export.ts',
      'synthesize_results.ts',
      'quickstart.ts',
    ]);
  });

  it('print their usage for -h, and if they need arguments and get none', async () => {
    const [asked, bare] = await Promise.all([
      runScript('train.ts', scratch, ['-h']),
      runScript('train.ts', scratch, []),
    ]);
    expect(asked).to.include({ exitCode: 0, stderr: '' });
    expect(asked.stdout).to.match(/^usage: train.ts \[options\]\n/);
    expect(bare).to.include({ exitCode: 2, stdout: asked.stdout });
    expect(bare.stderr).to.equal('error: --model_dir is missing: name the directory of an experiment\n');
  });

  it('answer wrong input with one line and their exit code, and write nothing', async () => {
    const before = snapshot(scratch);
    const answers = await Promise.all(
      cases.map(async ([name, args]) =>
        runScript(
          name,
          scratch,
          args.map((word) => word.replace('DIR', scratch)),
        ),
      ),
    );
    for (const [i, [name, args, exitCode, says]] of cases.entries()) {
      const { stderr, stdout, ...ended } = answers[i]!;
      const title = `${name} ${args.join(' ')}`;
      const line = stderr
        .replaceAll(scratch, 'DIR')
        .replace(/^error: /, '')
        .replace(/\n$/, '');
      expect(line, title).not.to.include('\n');
      if (typeof says === 'string') expect(line, title).to.equal(says);
      else expect(line, title).to.match(says);
      expect({ ...ended, stdout }, title).to.deep.equal({ exitCode, signal: null, stdout: '' });
    }
    expect(snapshot(scratch)).to.deep.equal(before);
  });
});

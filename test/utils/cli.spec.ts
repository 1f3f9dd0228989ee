import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { parseArguments, type CommandSpec } from '../../utils/cli';
import { UserError } from '../../utils/errors';
import { packageVersion } from '../../utils/version';

const root = join(__dirname, '..', '..');

const spec = {
  name: 'train.ts',
  summary: 'Trains one experiment.',
  flags: {
    model_dir: { type: 'string', default: 'experiments/base_model', help: 'directory that holds params.json' },
    restore_file: { type: 'string', help: 'checkpoint to start from' },
    temperature: { type: 'number', default: 1, help: 'of the softmax' },
    force: { type: 'boolean', default: false, help: 'start over' },
  },
} as const satisfies CommandSpec;

const parse = (...argv: string[]) => parseArguments(argv, spec);

function failure(...argv: string[]): UserError {
  try {
    parse(...argv);
  } catch (error) {
    expect(error).to.be.instanceOf(UserError);
    return error as UserError;
  }
  throw new Error(`${argv.join(' ')} was accepted`);
}

describe('parseArguments', () => {
  it('gives defaults where nothing is said', () => {
    const values = parse();
    const typed: { model_dir: string; restore_file: string | undefined; temperature: number; force: boolean } = values;
    expect(typed).to.deep.equal({
      model_dir: 'experiments/base_model',
      restore_file: undefined,
      temperature: 1,
      force: false,
    });
  });

  it('takes a value after a space or an equals sign', () => {
    expect(parse('--model_dir', 'a b', '--force').model_dir).to.equal('a b');
    expect(parse('--model_dir=a=b').model_dir).to.equal('a=b');
    expect(parse('--temperature', '2.5', '--restore_file', 'last', '--force')).to.deep.equal({
      model_dir: 'experiments/base_model',
      restore_file: 'last',
      temperature: 2.5,
      force: true,
    });
    expect(parse('--temperature=-3').temperature).to.equal(-3);
    expect(parse('--temperature', '-3', '--force')).to.include({ temperature: -3, force: true });
    expect(parse('--restore_file', '-name').restore_file).to.equal('-name');
    expect(failure('--force', '-x').message).to.equal('unknown option -x');
  });

  it('names the nearest flag for an unknown one', () => {
    const { message, exitCode } = failure('--modeldir', 'x');
    expect(message).to.equal('unknown option --modeldir; did you mean --model_dir?');
    expect(exitCode).to.equal(2);
    expect(failure('--temprature=2').message).to.equal('unknown option --temprature; did you mean --temperature?');
    expect(failure('--zzz').message).to.equal('unknown option --zzz');
    expect(failure('--__proto__=1', '--force').message).to.equal('unknown option --__proto__');
    expect(failure('-m').message).to.equal('unknown option -m');
  });

  it('refuses missing values, wrong values and words that belong to no flag', () => {
    expect(failure('--model_dir').message).to.match(/--model_dir <value>.*missing/);
    expect(failure('--model_dir', '--force').message).to.match(/--model_dir.*ambiguous/);
    expect(failure('--force=yes').message).to.match(/--force.*does not take an argument/);
    expect(failure('stray').message).to.match(/'stray'/);
    for (const value of ['hot', '', ' ', 'NaN', 'Infinity', '1x']) {
      const { message, exitCode } = failure(`--temperature=${value}`);
      expect(message).to.equal(`--temperature must be a number, got "${value}"`);
      expect(exitCode).to.equal(2);
    }
    for (const argv of [['stray'], ['--model_dir'], ['--model_dir', '--force']]) {
      const { message, exitCode } = failure(...argv);
      expect(message).not.to.contain('\n');
      expect(exitCode).to.equal(2);
    }
  });
});

describe('a flag with a former name', () => {
  const renamed = {
    name: 'search.ts',
    summary: 'Searches.',
    flags: { n_trials: { type: 'number', formerly: 'trials', default: 40, help: 'trials in total' } },
  } as const satisfies CommandSpec;

  it('is set by either name, and only the present one is a value', () => {
    for (const argv of [['--trials', '-5'], ['--trials=-5'], ['--n_trials', '-5']]) {
      expect(parseArguments(argv, renamed)).to.deep.equal({ n_trials: -5 });
    }
    expect(parseArguments([], renamed)).to.deep.equal({ n_trials: 40 });
  });

  it('is refused under both names at a time', () => {
    expect(() => parseArguments(['--trials', '5', '--n_trials', '5'], renamed))
      .to.throw(UserError, /^--n_trials and --trials are two names of one option: keep --n_trials$/)
      .with.property('exitCode', 2);
  });

  it('is shown under the present name only', () => {
    expect(() => parseArguments(['--help'], renamed))
      .to.throw(/--n_trials <number> {2}trials in total/)
      .with.property('message')
      .that.does.not.include('--trials');
  });
});

describe('runMain', () => {
  /** Runs `body` as the main function of a script; `end` closes its stdout unread. */
  function run(body: string, ...argv: string[]) {
    const script = `
      require('ts-node/register');
      const { runMain, parseArguments } = require('./utils/cli');
      const { UserError } = require('./utils/errors');
      const spec = ${JSON.stringify(spec)};
      runMain(async () => { ${body} });
    `;
    return spawnSync(process.execPath, ['-e', script, '--', ...argv], { cwd: root, encoding: 'utf8' });
  }

  it('ends with 0 and says nothing of itself', () => {
    expect(run('console.log("done")')).to.include({ status: 0, stdout: 'done\n', stderr: '' });
  });

  it('prints the lines of a UserError and ends with its exit code', () => {
    expect(run('throw new UserError("a: b\\nc: d")')).to.include({
      status: 1,
      stdout: '',
      stderr: 'error: a: b\nerror: c: d\n',
    });
    const unknown = run('parseArguments(process.argv.slice(1), spec)', '--model-dir');
    expect(unknown).to.include({
      status: 2,
      stdout: '',
      stderr: 'error: unknown option --model-dir; did you mean --model_dir?\n',
    });
  });

  it('prints what the system refused in one line, and no control characters of a name', () => {
    const refused = run('require("node:fs").readdirSync("none\\n\\u001b[2J")');
    expect(refused).to.include({
      status: 1,
      stdout: '',
      stderr: "error: ENOENT: no such file or directory, scandir 'none �[2J'\n",
    });
    expect(run('throw new UserError("a\\u001b[2J\\u009b: b")').stderr).to.equal('error: a�[2J�: b\n');
  });

  it('prints the stack of any other error and ends with 70', () => {
    const { status, stderr } = run('function inner() { throw new TypeError("oops"); } inner();');
    expect(status).to.equal(70);
    expect(stderr).to.match(/^TypeError: oops\n +at inner/);
    expect(run('throw "text"')).to.include({ status: 70, stderr: 'text\n' });
  });

  it('answers --help and --version on stdout and ends with 0', () => {
    const body = 'parseArguments(process.argv.slice(1), spec); console.log("worked");';
    const help = run(body, '--help', '--model_dir=x');
    expect(help).to.include({ status: 0, stderr: '' });
    expect(help.stdout.split('\n')).to.deep.equal([
      'usage: train.ts [options]',
      '',
      'Trains one experiment.',
      '',
      '  --model_dir <string>     directory that holds params.json (default: experiments/base_model)',
      '  --restore_file <string>  checkpoint to start from',
      '  --temperature <number>   of the softmax (default: 1)',
      '  --force                  start over',
      '  -h, --help               print this help and exit',
      '  --version                print the version and exit',
      '',
    ]);
    expect(run(body, '--version')).to.include({ status: 0, stdout: `${packageVersion}\n`, stderr: '' });
  });

  it('works on to the end when nobody reads its output any more', () => {
    const body = `
      for (let line = 0; line < 50; line++) {
        console.log('line'.repeat(1000));
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      console.error('finished');
    `;
    const script = `require('ts-node/register'); require('./utils/cli').runMain(async () => { ${body} })`;
    const pipeline = 'set -o pipefail; "$0" -e "$1" | head -c 1';
    const result = spawnSync('bash', ['-c', pipeline, process.execPath, script], { cwd: root, encoding: 'utf8' });
    expect(result).to.include({ status: 0, stdout: 'l', stderr: 'finished\n' });
  });

  it('ends with one line where its output goes to a full disk', function () {
    if (!existsSync('/dev/full')) return this.skip();
    const script = `require('ts-node/register'); require('./utils/cli').runMain(async () => console.log('line'))`;
    const full = openSync('/dev/full', 'w');
    const { status, stderr } = spawnSync(process.execPath, ['-e', script], {
      cwd: root,
      stdio: ['ignore', full, 'pipe'],
    });
    closeSync(full);
    expect([status, String(stderr)].join()).to.equal(
      '1,error: cannot write the output: ENOSPC: no space left on device, write\n',
    );
  });
});

/** What train.ts makes of its checkpoints: how often they are written, and what becomes of damaged ones. */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { readSafetensors } from '../formats/safetensors';
import { RunDirectory } from '../runs/run_directory';
import { UserError } from '../utils/errors';
import { inject } from './helpers/faults';
import { damage } from './helpers/runs';
import { experiment, results } from './helpers/train';
import { abandonLock, trainHere } from './helpers/train_here';
import { rowsOf } from './utils/rows';

const tiny = {
  model_version: 'mlp',
  hidden_sizes: [4],
  dataset: { name: 'shapes', train: 60, test: 10 },
  batch_size: 16,
  num_epochs: 3,
};

describe('the checkpoints of train.ts', function () {
  this.timeout(60_000);
  const scratch = mkdtempSync(join(tmpdir(), 'train-checkpoints-'));
  const undisturbed = experiment(join(scratch, 'undisturbed'), tiny);
  after(() => rmSync(scratch, { recursive: true }));

  /** Runs an experiment to its end; returns what it said on stderr. */
  async function finish(path: string): Promise<string> {
    const { error, stderr } = await trainHere(['--model_dir', path]);
    expect(error).to.equal(undefined);
    return stderr;
  }

  /** A run that has finished, but for what `spoil` does to its files. */
  function spoilt(name: string, spoil: (path: string) => void): string {
    const path = join(scratch, name);
    cpSync(undisturbed, path, { recursive: true });
    rmSync(join(path, 'metrics_test_best_weights.json'));
    spoil(path);
    return path;
  }

  before(async () => expect(await finish(undisturbed)).to.equal(''));

  it('last and previous are those of the last two epochs', () => {
    const { position } = new RunDirectory(undisturbed).readLast()!;
    expect(position.epoch).to.equal(3);
    const { metadata } = readSafetensors(join(undisturbed, 'previous.safetensors'));
    expect(JSON.parse(metadata.position!)).to.deep.include({ epoch: 2, step: 0 });
  });

  it('a damaged last one is kept aside, with a warning; the run goes on from the one before, to the same end', async () => {
    const path = spoilt('damaged', (run) => damage(join(run, 'last.safetensors')));
    const damaged = readFileSync(join(path, 'last.safetensors'));
    const stderr = await finish(path);
    expect(stderr).to.match(
      /^warning: [^\n]*damaged[\\/]last\.safetensors: [^\n]*; resuming from previous\.safetensors\n$/,
    );
    expect(readFileSync(join(path, 'train.log'), 'utf8')).to.contain(`:WARNING: ${stderr.slice('warning: '.length)}`);
    expect(readFileSync(join(path, 'last.damaged.safetensors')).equals(damaged)).to.equal(true);
    expect(results(path)).to.deep.equal(results(undisturbed));
  });

  it('two damaged ones are an error of one line', async () => {
    const path = spoilt('both_damaged', (run) => {
      for (const name of ['last', 'previous']) damage(join(run, `${name}.safetensors`));
    });
    const { error } = await trainHere(['--model_dir', path]);
    expect(error).to.be.instanceOf(UserError);
    expect((error as UserError).message).to.match(
      /^[^\n]*last\.safetensors: [^\n]*previous\.safetensors: [^\n]*--fresh/,
    );
    expect((error as UserError).message).not.to.contain('\n');
  });

  it('damaged best ones are an error of one line, and no test is made with others', async () => {
    const path = spoilt('best_damaged', (run) => damage(join(run, 'best.safetensors')));
    const { error } = await trainHere(['--model_dir', path]);
    expect((error as UserError).message).to.match(/^[^\n]*best\.safetensors: not a valid [^\n]* damaged[^\n]*$/);
    expect(existsSync(join(path, 'metrics_test_best_weights.json'))).to.equal(false);
  });

  it('come within an epoch too, and change no result', async () => {
    const path = experiment(join(scratch, 'often'), { ...tiny, checkpoint_every: '0s' });
    const faulty = inject(path);
    expect(await finish(path).finally(faulty.restore)).to.equal('');
    // 54 images: four steps an epoch, and its end.
    const written = faulty.operations.filter((operation) => operation === 'rename last.safetensors');
    expect(written).to.have.lengthOf(3 * 5);
    const tensorsIn = (run: string, name: string) => rowsOf(readSafetensors(join(run, name)).tensors);
    const { 'last.safetensors': last, ...others } = results(path);
    expect(last).not.to.equal(undefined);
    expect({ ...others, 'last.safetensors': undefined }).to.deep.equal({
      ...results(undisturbed),
      'last.safetensors': undefined,
    });
    expect(tensorsIn(path, 'last.safetensors')).to.deep.equal(tensorsIn(undisturbed, 'last.safetensors'));
  });

  it('are gone on from in the middle of an epoch after a kill, and may then come at other times', async () => {
    const path = experiment(join(scratch, 'killed'), { ...tiny, checkpoint_every: '0s' });
    const counted = inject(experiment(join(scratch, 'counted'), { ...tiny, checkpoint_every: '0s' }));
    await finish(join(scratch, 'counted')).finally(counted.restore);
    const renames = counted.operations.flatMap((operation, at) =>
      operation === 'rename last.safetensors' ? [at] : [],
    );
    const faulty = inject(path, renames[7], 'killed after');
    await trainHere(['--model_dir', path]);
    faulty.restore();
    abandonLock(path);
    expect(new RunDirectory(path).readLast()!.position).to.deep.include({ epoch: 1, step: 3 });
    experiment(path, { ...tiny, checkpoint_every: '1h' });
    const { stdout } = await trainHere(['--model_dir', path]);
    expect(stdout).to.contain('\nResuming after epoch 1, step 3\n');
    expect(results(path)['metrics.jsonl']).to.equal(results(undisturbed)['metrics.jsonl']);
    expect(results(path)['best.safetensors']).to.equal(results(undisturbed)['best.safetensors']);
  });

  it('are the same whatever the clock says', async () => {
    const path = experiment(join(scratch, 'clock'), tiny);
    const { Date: RealDate } = globalThis;
    let asked = 0;
    // Each look at the clock shows another year, forwards and back.
    const jump = () => ((asked++ * 7919) % 61) * 365 * 86_400_000;
    class JumpingDate extends RealDate {
      constructor(...args: [] | [number]) {
        super(args.length === 0 ? jump() : args[0]);
      }
      static override now = jump;
    }
    globalThis.Date = JumpingDate as DateConstructor;
    const files: string[] = [];
    try {
      for (const epochs of [1, 2, 3]) {
        experiment(path, { ...tiny, num_epochs: epochs });
        expect(await finish(path)).to.equal('');
        files.push(...readdirSync(join(path, 'events')).filter((name) => !files.includes(name)));
      }
    } finally {
      globalThis.Date = RealDate;
    }
    expect(asked).to.be.greaterThan(20);
    expect(results(path)).to.deep.equal(results(undisturbed));
    // TensorBoard reads the files in the order of their names.
    expect(files)
      .to.have.lengthOf(3)
      .and.deep.equal([...files].sort());
  });
});

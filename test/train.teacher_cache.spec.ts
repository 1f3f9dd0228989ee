/** What the teacher gives is computed once, by the runs of a search or for later epochs: no run's results tell. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { collectRuns } from '../report/collect/collect';
import { experiment, readJsonIn, results, runScript, train, writeInitialWeights } from './helpers/train';

interface Facts {
  readonly teacher_outputs?: { readonly computed: number; readonly cached: number };
}

describe('teacher outputs', function () {
  this.timeout(120_000);
  const scratch = mkdtempSync(join(tmpdir(), 'train-teacher-cache-'));
  after(() => rmSync(scratch, { recursive: true }));
  const factsOf = (path: string) => readJsonIn<Facts>(path, 'run.json').teacher_outputs;
  const distilled = {
    model_version: 'cnn_distill',
    teacher: { model: 'resnet8', num_channels: 4, checkpoint: join(scratch, 'teacher.safetensors') },
    num_epochs: 2,
  };
  const logOf = (path: string) => readFileSync(join(path, 'train.log'), 'utf8');

  before(() => void writeInitialWeights(join(scratch, 'teacher.safetensors'), 'resnet8', 4));

  /** Runs an experiment to its end. */
  async function run(path: string, ...args: string[]): Promise<string> {
    const { exitCode, stderr } = await train(scratch, ['--model_dir', path, ...args]);
    expect([exitCode, stderr]).to.deep.equal([0, '']);
    return path;
  }

  it('are shared by the trials of a search, which end with the same bytes as alone', async () => {
    const parent = experiment(join(scratch, 'search'), distilled);
    const alphas = [0.1, 0.5, 0.9];
    writeFileSync(join(parent, 'search.json'), JSON.stringify({ space: { alpha: alphas }, n_jobs: 2 }));
    const searched = await runScript('search_hyperparams.ts', scratch, ['--parent_dir', parent]);
    expect([searched.exitCode, searched.stderr]).to.deep.equal([0, '']);
    expect(readdirSync(parent), 'the folder of the search is gone').to.not.include('.teacher_cache');

    const alone = await Promise.all(
      [alphas[0], alphas[2]].map((alpha) =>
        run(experiment(join(scratch, `alone_${alpha}`), { ...distilled, alpha, threads: 1 })),
      ),
    );
    expect(results(join(parent, 'alpha_0.1'))).to.deep.equal(results(alone[0]!));
    expect(results(join(parent, 'alpha_0.9'))).to.deep.equal(results(alone[1]!));
    expect(alone.map(factsOf)).to.deep.equal([undefined, undefined]);

    // 360 training images twice, 40 validation images and 100 test images once, for each of three.
    const facts = alphas.map((alpha) => factsOf(join(parent, `alpha_${alpha}`))!);
    const computed = facts.reduce((sum, one) => sum + one.computed, 0);
    expect(computed).to.be.at.least(860).and.at.most(1800);
    expect(facts[2]).to.deep.equal({ computed: 0, cached: 860 });
  });

  it('are shared by searches, in a directory that stays', async () => {
    const shared = join(scratch, 'shared_cache');
    const facts = [];
    for (const name of ['first_search', 'second_search']) {
      const parent = experiment(join(scratch, name), { ...distilled, num_epochs: 1 });
      writeFileSync(join(parent, 'search.json'), JSON.stringify({ space: { alpha: [0.5] } }));
      const args = ['--parent_dir', parent, '--teacher_cache', shared];
      const { exitCode, stderr } = await runScript('search_hyperparams.ts', scratch, args);
      expect([exitCode, stderr]).to.deep.equal([0, '']);
      expect(existsSync(join(parent, '.teacher_cache'))).to.equal(false);
      facts.push(factsOf(join(parent, 'alpha_0.5')));
    }
    expect(facts).to.deep.equal([
      { computed: 500, cached: 0 },
      { computed: 0, cached: 500 },
    ]);
    expect(readdirSync(shared)).to.have.lengthOf(1);
  });

  it('are reused in later epochs where images look the same, over interruptions too', async () => {
    const views = { ...distilled, num_epochs: 6, teacher_views: 2, batch_size: 60 };
    const own = experiment(join(scratch, 'own'), views);
    const killed = experiment(join(scratch, 'killed'), views);
    const unwritable = experiment(join(scratch, 'unwritable'), views);
    const nowhere = join(scratch, 'teacher.safetensors', 'below a file');
    await Promise.all([
      run(own),
      run(unwritable, '--teacher_cache', nowhere),
      train(scratch, ['--model_dir', killed], { after: 'Epoch 4/6', signal: 'SIGKILL' }),
    ]);
    // Two epochs of 360 images in six batches, one batch that is tried, 40 images to validate on, and 100 to test on.
    expect(factsOf(own)).to.deep.equal({ computed: 720 + 60 + 40 + 100, cached: 4 * 360 - 60 });
    expect(existsSync(join(own, '.teacher_cache'))).to.equal(false);

    expect(results(unwritable)).to.deep.equal(results(own));
    expect(logOf(unwritable).match(/WARNING: .*below a file: cannot be written: ENOTDIR/g)).to.have.lengthOf(1);
    expect(factsOf(unwritable)).to.deep.equal({ computed: 6 * 360 + 40 + 100, cached: 0 });

    const kept = readdirSync(join(killed, '.teacher_cache'), { recursive: true, encoding: 'utf8' });
    expect(kept.length).to.be.at.least(13);
    writeFileSync(join(killed, '.teacher_cache', 'run.json'), '{}');
    expect(collectRuns(killed).map(({ directory }) => directory)).to.deep.equal(['.']);
    await run(killed);
    expect(results(killed)).to.deep.equal(results(own));
    expect(factsOf(killed)!.computed).to.be.at.most(60 + 100);
    expect(existsSync(join(killed, '.teacher_cache'))).to.equal(false);
  });
});

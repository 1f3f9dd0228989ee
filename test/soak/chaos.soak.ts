/**
 * Searches of 40 trials during which processes are killed and paused, locks and directories removed, every few seconds for
 * CHAOS_SECONDS (15 minutes), as a seed has it: trainings by train.ts on this machine; and on Slurm, whose daemons suffer likewise,
 * trials that only wait. What comes out is what an undisturbed search comes to.
 */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { expectEachOnce, localVictims, slurmVictims, survive } from '../helpers/chaos';
import { childrenOf, ended, makeSearch, startSearch, weightsAfter } from '../helpers/searching';
import { hasSlurm, releaseRequeued, TestCluster } from '../helpers/slurm';
import { readJsonIn, results } from '../helpers/train';

const SECONDS = Number(process.env.CHAOS_SECONDS ?? 15 * 60);
const TRIALS = 40;
const PAUSE_MS = 8000;
const script = (name: string) => join(__dirname, '..', '..', name);

const params = {
  model_version: 'mlp',
  hidden_sizes: [8],
  dataset: { name: 'shapes', train: 200, test: 50 },
  batch_size: 16,
  num_epochs: 100,
  checkpoint_every: '1s',
};
/** Four at a time, an undisturbed search of them would take a third of the time. */
const waiting = { num_epochs: 10, steps: 4, epoch_ms: (1000 * SECONDS) / 3 / (TRIALS / 4) / 10 };

const chaosOf = (seed: number) => ({ seed, seconds: SECONDS, everySeconds: 3 });
const searchOf = (space: object) => ({ space, sampler: 'sobol', n_trials: TRIALS, retries: 3, max_failures: 1000 });

describe(`a search of ${TRIALS} trainings in ${SECONDS} s of chaos`, function () {
  this.timeout(2000 * SECONDS + 30 * 60_000);

  for (const seed of [1, 2, 3]) {
    it(`ends with each once, as if nothing had been, with seed ${seed}`, async () => {
      const space = { learning_rate: { low: 1e-4, high: 1e-3, log: true } };
      const directory = makeSearch({ ...searchOf(space), n_jobs: 2 });
      writeFileSync(join(directory, 'params.json'), JSON.stringify(params));
      const start = () => startSearch(['--parent_dir', directory], process.env, script('search_hyperparams.ts'));
      const victims = (parent: () => number | undefined) => localVictims(directory, parent, PAUSE_MS);
      const survived = await survive(directory, start, victims, chaosOf(seed));
      console.log(`      ${survived.deeds.length} deeds, ${survived.ends.length} starts of the search`);
      expectEachOnce(directory, survived, TRIALS);
      for (const name of childrenOf(directory).slice(0, 3)) {
        const undisturbed = join(directory, 'undisturbed', name);
        mkdirSync(undisturbed, { recursive: true });
        copyFileSync(join(directory, name, 'params.json'), join(undisturbed, 'params.json'));
        const { exitCode, stderr } = await ended(
          startSearch(['--model_dir', undisturbed], process.env, script('train.ts')),
        );
        expect(exitCode, stderr).to.equal(0);
        expect(results(join(directory, name)), name).to.deep.equal(results(undisturbed));
      }
      rmSync(directory, { recursive: true });
    });

    it(`ends with each once, no step lost or doubled, on Slurm with seed ${seed}`, async function () {
      if (!hasSlurm) return this.skip();
      const folder = mkdtempSync(join(tmpdir(), 'slurm-chaos-'));
      // Slurm asks a node which jobs it has every seven of these timeouts.
      const cluster = await TestCluster.start(folder, { nodes: 2, cpus: 4, lines: ['SlurmdTimeout=30'] });
      const releasing = setInterval(releaseRequeued, 5000);
      try {
        const space = { alpha: { low: 0.1, high: 0.9 } };
        const directory = makeSearch({ ...searchOf(space), launcher: 'slurm', n_jobs: 4 }, waiting);
        const start = () => startSearch(['--parent_dir', directory]);
        const victims = (parent: () => number | undefined) => slurmVictims(directory, parent, PAUSE_MS, cluster);
        const survived = await survive(directory, start, victims, chaosOf(seed));
        console.log(`      ${survived.deeds.length} deeds, ${survived.ends.length} starts of the search`);
        expectEachOnce(directory, survived, TRIALS);
        for (const name of childrenOf(directory)) {
          const path = join(directory, name);
          const { alpha } = readJsonIn<{ alpha: number }>(path, 'params.json');
          const { accuracy, weights } = readJsonIn<Record<string, number>>(path, 'metrics_test_best_weights.json');
          expect(accuracy, name).to.be.closeTo(alpha, 1e-9);
          expect(weights, name).to.equal(weightsAfter(waiting.num_epochs * waiting.steps, alpha));
        }
        rmSync(directory, { recursive: true });
      } finally {
        clearInterval(releasing);
        await cluster.stop();
      }
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    });
  }
});

/**
 * Searches of 40 trainings by train.ts during which processes are killed and paused, locks and directories removed, every few
 * seconds for CHAOS_SECONDS (15 minutes), as a seed has it. What comes out is what an undisturbed run comes to, byte for byte.
 */
import { expect } from 'chai';
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expectEachOnce, localVictims, survive } from '../helpers/chaos';
import { childrenOf, makeSearch, startSearch } from '../helpers/searching';
import { results, train } from '../helpers/train';

const SECONDS = Number(process.env.CHAOS_SECONDS ?? 15 * 60);
const TRIALS = 40;
const script = join(__dirname, '..', '..', 'search_hyperparams.ts');

const params = {
  model_version: 'mlp',
  hidden_sizes: [8],
  dataset: { name: 'shapes', train: 200, test: 50 },
  batch_size: 16,
  num_epochs: 300,
  checkpoint_every: '1s',
};

describe(`a search of ${TRIALS} trainings in ${SECONDS} s of chaos`, function () {
  this.timeout(2000 * SECONDS + 30 * 60_000);

  for (const seed of [1, 2, 3]) {
    it(`ends with each once, as if nothing had been, with seed ${seed}`, async () => {
      const space = { learning_rate: { low: 1e-4, high: 1e-3, log: true } };
      const search = { space, sampler: 'sobol', trials: TRIALS, parallel: 2, retries: 3, max_failures: 1000 };
      const directory = makeSearch(search);
      writeFileSync(join(directory, 'params.json'), JSON.stringify(params));
      const start = () => startSearch(['--parent_dir', directory], process.env, script);
      const chaos = { seed, seconds: SECONDS, everySeconds: 3 };
      const survived = await survive(directory, start, (parent) => localVictims(directory, parent, 8000), chaos);
      console.log(`      ${survived.deeds.length} deeds, ${survived.ends.length} starts of the search`);
      expectEachOnce(directory, survived, TRIALS);
      for (const name of childrenOf(directory).slice(0, 3)) {
        const undisturbed = join(directory, 'undisturbed', name);
        mkdirSync(undisturbed, { recursive: true });
        copyFileSync(join(directory, name, 'params.json'), join(undisturbed, 'params.json'));
        expect((await train(directory, ['--model_dir', undisturbed])).exitCode).to.equal(0);
        expect(results(join(directory, name)), name).to.deep.equal(results(undisturbed));
      }
      rmSync(directory, { recursive: true });
    });
  }
});

/** Tests search/. What a search of many trials takes of memory. */
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { childrenOf, ended, makeSearch, statesIn } from '../helpers/searching';

const TRIALS = process.env.SOAK ? 1000 : 40;

describe(`a search of ${TRIALS} trials`, function () {
  this.timeout(process.env.SOAK ? 20 * 60_000 : 60_000);

  for (const sampler of process.env.SOAK ? ['tpe', 'sobol'] : ['tpe']) {
    it(`by ${sampler} takes less than 300 MB`, async () => {
      const space = { alpha: { low: 0, high: 1 }, temperature: { low: 1, high: 20, log: true } };
      const content = { space, sampler, pruner: 'asha', n_trials: TRIALS, n_jobs: 2 };
      const directory = makeSearch(content, { num_epochs: 30 });
      const args = ['-r', 'ts-node/register', join(__dirname, '..', 'helpers', 'quick_search.ts'), '--parent_dir'];
      const { exitCode, stdout, stderr } = await ended(spawn(process.execPath, [...args, directory]));
      expect(stderr).to.equal('');
      expect(exitCode).to.equal(0);
      const megabytes = Number(/maxRSS (\d+)\n$/.exec(stdout)![1]) / 1000;
      if (process.env.SOAK) console.log(`      ${megabytes.toFixed(0)} MB for ${TRIALS} trials by ${sampler}`);
      // One that the pruner sees between the last epoch and the test score may be pruned.
      const states = Object.values(statesIn(directory));
      expect(states).to.have.lengthOf(TRIALS);
      expect(states.filter((state) => state === 'complete').length).to.be.at.least(0.98 * TRIALS - 1);
      for (const state of states) expect(state).to.be.oneOf(['complete', 'pruned']);
      expect(childrenOf(directory)).to.have.lengthOf(TRIALS);
      expect(megabytes).to.be.lessThan(300);
      rmSync(directory, { recursive: true });
    });
  }
});

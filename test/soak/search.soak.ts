/** A search of 60 trials that is killed about every second, for longer than the tests would wait. */
import { rmSync } from 'node:fs';
import { expect } from 'chai';
import { childrenOf, countOf, killUntilDone, makeSearch, statesIn } from '../helpers/searching';

describe('a search of 60 trials', function () {
  this.timeout(15 * 60_000);

  it('does each once, however often it is killed', async () => {
    const space = { alpha: { low: 0, high: 1 } };
    const directory = makeSearch({ space, sampler: 'tpe', n_trials: 60, n_jobs: 3 }, { epoch_ms: 150 });
    const kills = await killUntilDone(directory, 2000);
    expect(kills).to.be.at.least(10);
    expect(Object.values(statesIn(directory))).to.deep.equal(Array(60).fill('complete'));
    expect(childrenOf(directory)).to.have.lengthOf(60);
    for (const name of childrenOf(directory)) expect(countOf('ends', directory, name), name).to.equal(1);
    rmSync(directory, { recursive: true });
  });
});

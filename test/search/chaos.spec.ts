/**
 * Tests search/. A search whose processes, locks and directories are killed, paused and removed for a while;
 * soak/chaos.soak.ts takes longer.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { readJournal } from '../../search/journal';
import { expectEachOnce, localVictims, survive } from '../helpers/chaos';
import { makeSearch, startSearch } from '../helpers/searching';

describe('a search in chaos', function () {
  this.timeout(180_000);

  it('ends with each trial once', async () => {
    const alpha = Array.from({ length: 10 }, (_, i) => (i + 1) / 16);
    const directory = makeSearch({ space: { alpha }, n_jobs: 3, retries: 3, max_failures: 100 }, { epoch_ms: 600 });
    const start = () => startSearch(['--parent_dir', directory]);
    const chaos = { seed: 230, seconds: 15, everySeconds: 0.5 };
    const survived = await survive(directory, start, (parent) => localVictims(directory, parent, 500), chaos);
    console.log(
      survived.deeds.join('\n'),
      survived.ends.map((e) => e.exitCode + e.stderr),
    );
    expectEachOnce(directory, survived, alpha.length);
    expect(survived.deeds.length).to.be.at.least(5);
    for (const event of readJournal(join(directory, 'search.journal.jsonl'))) {
      if (event.event === 'finished') expect(event.name).to.equal(`alpha_${event.value}`);
    }
    rmSync(directory, { recursive: true });
  });
});

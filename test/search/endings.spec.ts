/**
 * Tests search/search_state.ts. How a search takes trials that end early by themselves: those that diverge, and those that are
 * killed.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { collectRuns } from '../../report/collect/collect';
import { readJournal } from '../../search/journal';
import { countOf, makeSearch, runSearch, statesIn } from '../helpers/searching';

describe('a trial', function () {
  this.timeout(60_000);
  const directories: string[] = [];
  after(() => directories.forEach((directory) => rmSync(directory, { recursive: true })));

  const searched = async (search: object, params: object) => {
    const directory = makeSearch({ n_jobs: 2, ...search }, params);
    directories.push(directory);
    return { directory, ...(await runSearch(directory)) };
  };
  const eventsIn = (directory: string) => readJournal(join(directory, 'search.journal.jsonl'));

  it('that diverges counts as pruned, with the reason, is not tried again, and does not end the search', async () => {
    const space = { alpha: [0.1, 0.2, 0.3], behavior: ['diverge', 'good'] };
    const { directory, lines, error } = await searched({ space, sampler: 'grid', max_failures: 0 }, { num_epochs: 2 });
    expect(error).to.equal(undefined);
    const states = Object.entries(statesIn(directory));
    expect(states).to.have.lengthOf(6);
    const names = states.map(([name]) => name).filter((name) => name.includes('diverge'));
    expect(names).to.have.lengthOf(3);
    for (const [name, state] of states) expect(state, name).to.equal(names.includes(name) ? 'pruned' : 'complete');
    for (const name of names) expect(countOf('starts', directory, name), name).to.equal(1);
    const reason = 'epoch 2: the loss is NaN';
    const pruned = eventsIn(directory).filter((event) => event.event === 'pruned');
    for (const event of pruned) expect(event).to.include({ repeat: 0, value: null, epochs: 1, reason });
    expect(lines.filter((line) => line.includes(`: pruned after 1 epoch, ${reason} (`))).to.have.lengthOf(3);

    const runs = collectRuns(directory).filter(({ directory: name }) => names.includes(name));
    expect(runs.map(({ status }) => status)).to.deep.equal(Array(3).fill('pruned'));
  });

  it('that is killed is said to have found no memory, whatever it said last', async () => {
    const space = { behavior: ['be_killed'] };
    const { directory } = await searched({ space, sampler: 'grid', retries: 1 }, { num_epochs: 9 });
    expect(countOf('starts', directory, 'behavior_be_killed')).to.equal(2);
    expect(eventsIn(directory).at(-1)).to.include({ event: 'failed', reason: 'killed, probably out of memory' });
  });
});

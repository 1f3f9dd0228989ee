import fs, { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Journal, readJournal, type Event } from '../../search/journal';
import { parseSettings } from '../../search/settings/settings';
import { stateOf, trialsOf, valueOf } from '../../search/trials/trials';
import { UserError } from '../../utils/errors';
import { inject } from '../helpers/faults';

const settings = parseSettings({ space: { alpha: [0.1, 0.5] } }, 'search.json');
const begin: Event = { event: 'search', settings, params: { num_epochs: 3 } };
const proposed = (name: string, trial: number): Event => ({ event: 'proposed', name, trial, point: { alpha: trial } });
const withoutTime = (events: readonly Event[]) => events.map((event) => ({ ...event, time: undefined }));

describe('a journal', () => {
  let directory: string;
  let path: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'journal-'));
    path = join(directory, 'search.journal.jsonl');
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const write = (...events: Event[]) => {
    const journal = new Journal(path);
    for (const event of events) journal.append(event);
    journal.close();
  };

  it('gives back what it was given', () => {
    expect(readJournal(path)).to.deep.equal([]);
    write(begin, proposed('a', 0));
    write(proposed('b', 1));
    const expected = [begin, proposed('a', 0), proposed('b', 1)];
    expect(withoutTime(readJournal(path))).to.deep.equal(withoutTime(expected));
  });

  it('has the settings of an earlier version under their present names', () => {
    const { n_trials: trials, direction: goal, ...rest } = settings;
    const event = { event: 'search', settings: { trials, goal, parallel: 2, timeout: 90, ...rest }, params: {} };
    writeFileSync(path, `${JSON.stringify(event)}\n`);
    const [read] = readJournal(path);
    expect(read).to.deep.equal({ ...event, settings: { ...settings, n_jobs: 2, trial_timeout: 90 } });
  });

  it('does without a last line that was cut off anywhere, and goes on behind the line before', () => {
    write(begin, proposed('a', 0));
    const whole = readFileSync(path);
    const end = whole.subarray(0, -1).lastIndexOf('\n') + 1;
    for (let length = end; length < whole.length; length += 7) {
      writeFileSync(path, whole.subarray(0, length));
      expect(readJournal(path), `${length} bytes`).to.have.lengthOf(1);
      write(proposed('b', 1));
      expect(readJournal(path).map(({ event }) => event)).to.deep.equal(['search', 'proposed']);
      expect(trialsOf(readJournal(path)).has('b')).to.equal(true);
    }
  });

  it('has each event on the disk before append returns', () => {
    const calls: string[] = [];
    const { fsyncSync } = fs;
    const journal = new Journal(path);
    Object.assign(fs, {
      fsyncSync: (file: number) => {
        calls.push(`fsync of ${readFileSync(path, 'utf8').split('\n').length - 1} lines`);
        fsyncSync(file);
      },
    });
    try {
      journal.append(begin);
      calls.push('returned');
      journal.append(proposed('a', 0));
      calls.push('returned');
    } finally {
      Object.assign(fs, { fsyncSync });
      journal.close();
    }
    expect(calls).to.deep.equal(['fsync of 1 lines', 'returned', 'fsync of 2 lines', 'returned']);
  });

  it('has whole lines only after an event that could not be written', () => {
    write(begin);
    for (const at of [1, 2, 3]) {
      const faulty = inject(directory, at, 'failing');
      const journal = new Journal(path);
      expect(() => journal.append(proposed('a', 0))).to.throw(UserError, `${path}: cannot be written: EIO: i/o error`);
      journal.append(proposed('b', 1));
      journal.close();
      faulty.restore();
      expect(readJournal(path).slice(at)).to.have.lengthOf(1);
      expect(readJournal(path).at(-1)).to.include({ name: 'b' });
    }
  });

  it('refuses other content with the number of the line', () => {
    write(begin);
    appendFileSync(path, '{"event":"pro\n');
    expect(() => readJournal(path)).to.throw(UserError, `${path}: line 2 is not an event of a search`);
    writeFileSync(path, '{"event":"danced"}\n');
    expect(() => readJournal(path)).to.throw(UserError, `${path}: line 1 is not an event of a search`);
    writeFileSync(path, `${JSON.stringify(proposed('a', 0))}\n`);
    expect(() => readJournal(path)).to.throw(UserError, `${path}: does not begin with a search`);
  });
});

describe('trials', () => {
  const finished = (repeat: number, value: number | null): Event => ({
    event: 'finished',
    name: 'a',
    repeat,
    value,
    epochs: 3,
  });
  const a = (...events: Event[]) => trialsOf([begin, proposed('a', 0), ...events]).get('a')!;

  it('are complete when all repeats are, with the mean of their values', () => {
    expect(stateOf(a(), 2)).to.equal('running');
    expect(stateOf(a(finished(0, 0.5)), 2)).to.equal('running');
    const both = a(finished(0, 0.5), finished(1, 0.75));
    expect([stateOf(both, 2), valueOf(both)]).to.deep.equal(['complete', 0.625]);
    expect(stateOf(both, 3)).to.equal('running');
    expect(Number.isNaN(valueOf(a(finished(0, null))))).to.equal(true);
  });

  it('are what they became last', () => {
    const failed: Event = { event: 'failed', name: 'a', repeat: 0, reason: 'out of memory' };
    const started: Event = { event: 'started', name: 'a', repeat: 0 };
    expect(stateOf(a(started, failed), 1)).to.equal('failed');
    const job = { repeat: 0, job: '7', seconds: 4, total: 11 };
    const ran: Event = { event: 'job', name: 'a', ...job };
    expect(a(started, ran, started).job).to.deep.equal(job);
    expect(stateOf(a(started, ran, started), 1)).to.equal('running');
    // The next chance of a trial that failed has all of its time.
    expect(a(started, ran, failed).job).to.equal(undefined);
    expect(a(started, failed).early?.reason).to.equal('out of memory');
    expect(stateOf(a(started, failed, started), 1)).to.equal('running');
    expect(stateOf(a(started, failed, started, finished(0, 1)), 1)).to.equal('complete');
    const pruned = a(started, { event: 'pruned', name: 'a', repeat: 0, value: 0.25, epochs: 2 });
    expect([stateOf(pruned, 1), valueOf(pruned), pruned.epochs]).to.deep.equal(['pruned', 0.25, 2]);
  });
});

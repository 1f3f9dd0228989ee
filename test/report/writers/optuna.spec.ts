/** A search as a study of Optuna: as it is written, and as Optuna reads it, where Python has it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { refuseOtherStudy, toOptuna } from '../../../report/writers/optuna';
import type { Event } from '../../../search/journal';
import { parseSettings } from '../../../search/settings/settings';
import { UserError } from '../../../utils/errors';
import { pythonWith, runPython } from '../../helpers/python';
import { finished, writeRun } from '../../helpers/runs';

const settings = parseSettings(
  {
    space: {
      learning_rate: { low: 1e-4, high: 0.1, log: true },
      batch_size: { low: 16, high: 100, step: 16 },
      alpha: { low: 0.1, high: 0.9, step: 0.2 },
      optimizer: ['adam', 'sgd'],
      schedule: { values: [{ type: 'cosine' }, null] },
      momentum: { values: [0, 0.9], when: { optimizer: 'sgd' } },
    },
    sampler: 'random',
    n_trials: 4,
  },
  'search.json',
);

const short = { learning_rate: 0.01, batch_size: 48, alpha: 0.3, optimizer: 'adam', schedule: { type: 'cosine' } };
const point = { ...short, optimizer: 'sgd', momentum: 0.9 };

const events: Event[] = [
  { event: 'search', settings, params: {} },
  ...['a', 'b', 'c', 'd'].flatMap((name, trial): Event[] => [
    { event: 'proposed', name, trial, point: trial === 0 ? point : short },
    { event: 'started', name, repeat: 0 },
  ]),
  { event: 'finished', name: 'a', repeat: 0, value: 0.59, epochs: 3 },
  { event: 'failed', name: 'b', repeat: 0, reason: 'exit code 1' },
  { event: 'pruned', name: 'c', repeat: 0, value: 0.1, epochs: 2 },
];

const script = `
import json, sys, optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
optuna.logging.set_verbosity(optuna.logging.ERROR)
storage = JournalStorage(JournalFileBackend(sys.argv[1]))
study, = storage.get_all_studies()
study = optuna.load_study(study_name=study.study_name, storage=storage)
print(json.dumps({
  'name': study.study_name, 'direction': study.direction.name, 'best': study.best_params,
  'trials': [[t.state.name, t.value, t.params, {str(k): v for k, v in t.intermediate_values.items()}, t.user_attrs,
              t.datetime_start.timestamp(), t.datetime_complete and t.datetime_complete.timestamp()] for t in study.trials],
  'asked': sorted(study.ask(study.trials[0].distributions).params)}))
`;

describe('toOptuna', () => {
  let parent: string;
  before(() => {
    parent = join(mkdtempSync(join(tmpdir(), 'optuna-')), 'my_search');
    mkdirSync(parent);
    const time = (i: number) => `2026-01-02T03:04:${String(i).padStart(2, '0')}.500Z`;
    const lines = events.map((event, i) => `${JSON.stringify({ time: time(i), ...event })}\n`);
    writeFileSync(join(parent, 'search.journal.jsonl'), lines.join(''));
    writeRun(join(parent, 'a'), finished({}, 0.6));
  });
  after(() => rmSync(join(parent, '..'), { recursive: true }));

  it('writes a line for the study and one for each trial', () => {
    const [study, first, ...others] = toOptuna(parent)
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(study).to.deep.equal({ op_code: 0, worker_id: 'distillery', study_name: 'my_search', directions: [2] });
    expect(first).to.deep.include({
      state: 1,
      value: 0.59,
      datetime_start: '2026-01-02T03:04:02.500000+00:00',
      datetime_complete: '2026-01-02T03:04:09.500000+00:00',
      params: { learning_rate: 0.01, batch_size: 48, alpha: 0.3, optimizer: 1, schedule: 0, momentum: 1 },
      user_attrs: { directory: 'a', test_accuracy: 0.6 },
    });
    expect(Object.keys(first!.intermediate_values as object)).to.deep.equal(['1', '2', '3']);
    expect(others.map(({ state, value }) => [state, value])).to.deep.equal([
      [3, null],
      [2, null],
      [0, null],
    ]);
  });

  it('is read by Optuna, which goes on from it', function () {
    this.timeout(60_000);
    const python = pythonWith('optuna');
    if (python === undefined) return this.skip();
    const file = join(parent, 'study.log');
    writeFileSync(file, toOptuna(parent));
    const { trials, ...study } = runPython(python, script, [file]) as { trials: unknown[][] };
    const params = { ...point, schedule: '{"type":"cosine"}' };
    const asked = Object.keys(point).sort();
    expect(study).to.deep.equal({ name: 'my_search', direction: 'MAXIMIZE', best: params, asked });
    const start = Date.parse('2026-01-02T03:04:02.500Z') / 1000;
    expect(trials[0]).to.deep.equal([
      'COMPLETE',
      0.59,
      params,
      { 1: 0.59 / 3, 2: (0.59 * 2) / 3, 3: 0.59 },
      { directory: 'a', test_accuracy: 0.6 },
      start,
      start + 7,
    ]);
    expect(trials.map(([state]) => state)).to.deep.equal(['COMPLETE', 'FAIL', 'PRUNED', 'RUNNING']);
    expect(trials[1]![2]).to.deep.equal({ ...short, schedule: '{"type":"cosine"}' });
  });

  it('refuses what is no search, and a file that another has written', () => {
    const none = join(parent, 'a');
    expect(() => toOptuna(none)).to.throw(UserError, /a.search\.journal\.jsonl: no such search; --optuna needs/);
    const file = join(parent, 'other.log');
    refuseOtherStudy(file);
    writeFileSync(file, toOptuna(parent));
    refuseOtherStudy(file);
    writeFileSync(file, '{"op_code": 0, "worker_id": "1b2c", "study_name": "theirs", "directions": [1]}\n');
    expect(() => refuseOtherStudy(file)).to.throw(UserError, /other\.log: exists and was not written by distillery/);
  });
});

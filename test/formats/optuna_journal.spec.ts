/** Optuna's journal files: as their records say, and as Optuna itself reads what it has written, where Python has it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { readOptunaStudies } from '../../formats/optuna_journal';
import { UserError } from '../../utils/errors';
import { pythonWith, runPython } from '../helpers/python';

const study = (name: string, ...directions: number[]) => ({ op_code: 0, study_name: name, directions });
const trial = (more: object = {}) => ({ op_code: 4, study_id: 0, datetime_start: null, ...more });
const range = JSON.stringify({ name: 'FloatDistribution', attributes: { low: 0, high: 1, log: false, step: null } });
const choice = JSON.stringify({ name: 'CategoricalDistribution', attributes: { choices: ['adam', null, true, 0.5] } });

/** Studies of two objectives and of one, whose trials end in every way; prints what Optuna reads from the file. */
const script = `
import json, math, sys, optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
optuna.logging.set_verbosity(optuna.logging.CRITICAL)
storage = lambda: JournalStorage(JournalFileBackend(sys.argv[1]))
gone = optuna.create_study(study_name='gone', storage=storage())
gone.add_trial(optuna.trial.create_trial(value=1.0))
optuna.delete_study(study_name='gone', storage=storage())
two = optuna.create_study(study_name='two', storage=storage(), directions=['minimize', 'maximize'])
two.tell(two.ask({'x': optuna.distributions.FloatDistribution(0, 1)}), [1.0, 2.0])

def objective(trial):
    rate = trial.suggest_float('learning_rate', 1e-4, 1e-1, log=True)
    alpha = trial.suggest_float('alpha', 0.1, 0.9, step=0.2)
    size = trial.suggest_int('batch_size', 16, 96, step=16)
    if trial.suggest_categorical('optimizer', ['adam', 'sgd', None]) == 'sgd':
        trial.suggest_categorical('nesterov', [True, False])
    for epoch in range(1, 4):
        trial.report(math.nan if trial.number == 3 else alpha * epoch / 3, epoch)
        if trial.number == 4 and epoch == 2:
            raise optuna.TrialPruned()
    if trial.number == 5:
        raise RuntimeError('fails')
    return math.inf if trial.number == 6 else alpha - rate / size

one = optuna.create_study(study_name='one', storage=storage(), direction='maximize', sampler=optuna.samplers.TPESampler(seed=1))
one.optimize(objective, n_trials=8, catch=(RuntimeError,))
one.enqueue_trial({'alpha': 0.5})
one.ask()
one.enqueue_trial({'alpha': 0.7})
finite = lambda value: value if math.isfinite(value) else str(value)
print(json.dumps([{
  'name': s.study_name, 'directions': [d.name.lower() for d in s.directions],
  'trials': [[t.state.name, t.params, [finite(v) for v in t.values or []],
              {str(k): finite(v) for k, v in t.intermediate_values.items()}] for t in storage().get_all_trials(s._study_id)]}
  for s in storage().get_all_studies()]))
`;

describe('readOptunaStudies', () => {
  let path: string;
  before(() => (path = join(mkdtempSync(join(tmpdir(), 'optuna-journal-')), 'study.log')));
  after(() => rmSync(join(path, '..'), { recursive: true }));
  const write = (...records: object[]) =>
    writeFileSync(path, records.map((record) => `${JSON.stringify(record)}\n`).join(''));

  it('replays records as Optuna does: trials count over all studies, and those that have ended stay as they are', () => {
    write(
      study('a', 2),
      study('b', 1),
      study('a', 1),
      trial(),
      trial({ study_id: 1, state: 1, value: 0.5, params: { x: 0.25, o: 1 }, distributions: { x: range, o: choice } }),
      trial({ study_id: 7 }),
      { op_code: 5, trial_id: 0, param_name: '__proto__', param_value_internal: 2, distribution: choice },
      { op_code: 7, trial_id: 0, step: 3, intermediate_value: 0.5 },
      { op_code: 7, trial_id: 1, step: 3, intermediate_value: 0.5 },
      { op_code: 8, trial_id: 0, user_attr: { note: 'x' } },
      { op_code: 6, trial_id: 0, state: 2, values: [0.5] },
      { op_code: 6, trial_id: 0, state: 1, values: [0.75] },
      { op_code: 6, trial_id: 9, state: 1, values: [1] },
      { op_code: 10, trial_ids: [0] },
    );
    const [a, b, ...others] = readOptunaStudies(path);
    expect(others).to.deep.equal([]);
    const params = Object.fromEntries([['__proto__', true]]);
    const intermediateValues = new Map([[3, 0.5]]);
    expect(a).to.deep.equal({
      name: 'a',
      directions: ['maximize'],
      trials: [{ params, state: 'pruned', values: [0.5], intermediateValues }],
    });
    const second = { params: { x: 0.25, o: null }, state: 'complete', values: [0.5], intermediateValues: new Map() };
    expect(b).to.deep.equal({ name: 'b', directions: ['minimize'], trials: [second] });
    const [gone, never] = [0, 2 ** 32 - 2].map((study_id) => ({ op_code: 1, study_id }));
    write(study('a', 2), study('b', 2), gone!, never!, trial(), trial({ study_id: 1 }));
    expect(readOptunaStudies(path).map(({ name, trials }) => [name, trials.length])).to.deep.equal([['b', 1]]);
  });

  it('skips a last line that is not whole', () => {
    write(study('a', 2));
    writeFileSync(path, '{"op_code":4,"study', { flag: 'a' });
    expect(readOptunaStudies(path)).to.have.lengthOf(1);
  });

  it('refuses every other file in one line', () => {
    const refused: [text: string, message: RegExp][] = [
      ['', /is not a journal file of Optuna: it has no line$/],
      ['SQLite format 3\0…', /is an SQLite database; copy the study into a journal file with optuna\.copy_study$/],
      ['learning_rate: 1\n', /line 1: .*JSON/],
      ['[1]\n', /line 1: must be an object, got an array of 1$/],
      ['{"event":"search"}\n', /line 1: "op_code" must be an integer from 0 to 10, got undefined$/],
      ['{"op_code":0,"directions":[1]}\n', /line 1: "study_name" must be a string, got undefined$/],
      ['{"op_code":0,"study_name":"a","directions":2}\n', /line 1: "directions" must be a list, got 2$/],
      [`${JSON.stringify(study('a', 1))}\n{"op_code":4}\n`, /line 2: "study_id" must be an integer of at least 0/],
    ];
    for (const more of [
      { state: 5 },
      { params: { x: 1 } },
      { params: { x: '1' }, distributions: { x: range } },
      { params: { x: 4 }, distributions: { x: choice } },
      { params: { x: 0 }, distributions: { x: '{"name":"CategoricalDistribution"}' } },
      { values: ['high'] },
    ]) {
      refused.push([`${JSON.stringify(study('a', 1))}\n${JSON.stringify(trial(more))}\n`, /line 2: .*must .*, got /]);
    }
    for (const [text, message] of refused) {
      writeFileSync(path, text);
      expect(() => readOptunaStudies(path), text).to.throw(UserError, message);
      expect(() => readOptunaStudies(path), text).to.throw(/^[^\n]*study\.log: [^\n]*$/);
    }
  });

  it('reads what Optuna writes as Optuna does', function () {
    this.timeout(60_000);
    const python = pythonWith('optuna');
    if (python === undefined) return this.skip();
    rmSync(path, { force: true });
    const expected = runPython(python, script, [path]);
    const words: Readonly<Record<string, string>> = { Infinity: 'inf', NaN: 'nan' };
    const shown = (value: number) => words[String(value)] ?? value;
    const names = { complete: 'COMPLETE', pruned: 'PRUNED', failed: 'FAIL', running: 'RUNNING', waiting: 'WAITING' };
    const read = readOptunaStudies(path).map(({ trials, ...rest }) => ({
      ...rest,
      trials: trials.map(({ state, params, values, intermediateValues }) => [
        names[state],
        params,
        values.map(shown),
        Object.fromEntries([...intermediateValues].map(([step, value]) => [step, shown(value)])),
      ]),
    }));
    expect(read).to.deep.equal(expected);
    const states = new Set(read.flatMap(({ trials }) => trials.map(([state]) => state)));
    expect(states).to.have.all.keys(Object.values(names));
  });
});

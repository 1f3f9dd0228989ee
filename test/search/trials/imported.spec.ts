/** A study of Optuna at the start of a search: which of its trials count, and what the sampler makes of them. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { toOptuna } from '../../../report/writers/optuna';
import { readJournal, type Event } from '../../../search/journal';
import { parseSettings, type Settings } from '../../../search/settings/settings';
import { importedTrials, importEvents, importLines } from '../../../search/trials/imported';
import { Proposals } from '../../../search/trials/proposals';
import { trialsOf, withEvent } from '../../../search/trials/trials';
import { UserError } from '../../../utils/errors';
import { pythonWith, runPython } from '../../helpers/python';
import { finished, writeRun } from '../../helpers/runs';
import { ended, makeSearch, startSearch } from '../../helpers/searching';

const search = {
  space: {
    learning_rate: { low: 1e-4, high: 0.1, log: true },
    batch_size: { low: 16, high: 96, step: 16 },
    alpha: { low: 0.1, high: 0.9, step: 0.2 },
    optimizer: ['adam', 'sgd'],
    schedule: { values: [{ type: 'cosine' }, null] },
    momentum: { values: [0, 0.9], when: { optimizer: 'sgd' } },
  },
  sampler: { name: 'tpe', startup_trials: 5 },
  n_trials: 40,
};

/** A study of the same space, of 12 trials, one of which fails and one is pruned. */
const script = `
import json, sys, optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
optuna.logging.set_verbosity(optuna.logging.CRITICAL)
study = optuna.create_study(study_name='theirs', direction='maximize', storage=JournalStorage(JournalFileBackend(sys.argv[1])),
                            sampler=optuna.samplers.TPESampler(seed=3))
def objective(trial):
    trial.suggest_float('learning_rate', 1e-4, 0.1, log=True)
    trial.suggest_int('batch_size', 16, 96, step=16)
    alpha = trial.suggest_float('alpha', 0.1, 0.9, step=0.2)
    trial.suggest_categorical('schedule', ['{"type":"cosine"}', None])
    if trial.suggest_categorical('optimizer', ['adam', 'sgd']) == 'sgd':
        trial.suggest_categorical('momentum', [0, 0.9])
    trial.report(alpha, 2)
    if trial.number == 1:
        raise RuntimeError('fails')
    if trial.number == 2:
        raise optuna.TrialPruned()
    return alpha
study.optimize(objective, n_trials=12, catch=(RuntimeError,))
print(json.dumps([[t.number, t.state.name, t.params, t.value] for t in study.trials]))
`;

describe('the trials of an Optuna study', () => {
  let parent: string;
  let path: string;
  before(() => {
    parent = join(mkdtempSync(join(tmpdir(), 'imported-')), 'first');
    mkdirSync(parent);
    path = join(parent, '..', 'study.log');
  });
  after(() => rmSync(join(parent, '..'), { recursive: true }));
  const settingsWith = (more: object): Settings => parseSettings({ ...search, ...more }, 'search.json');
  const seed = 230;

  /** A search with TPE of so many trials, whose values are the sum of alpha and an epoch's share, as its events. */
  const searched = (settings: Settings, count: number): Event[] => {
    const events: Event[] = [{ event: 'search', settings, params: {} }];
    const proposals = new Proposals(settings, new Map());
    for (let i = 0; i < count; i++) {
      const proposal = proposals.next(trialsOf(events))!;
      const { name } = proposal;
      const value = Number(proposal.point.alpha) - Math.log10(Number(proposal.point.learning_rate)) / 100;
      events.push(proposal, { event: 'started', name, repeat: 0 });
      if (i === 3) events.push({ event: 'failed', name, repeat: 0, reason: 'exit code 1' });
      else if (i === 4) events.push({ event: 'pruned', name, repeat: 0, value, epochs: 2 });
      else events.push({ event: 'finished', name, repeat: 0, value, epochs: 3 });
      const history = [1, 2].map((epoch) => ({ epoch, val: { accuracy: value } }));
      if (i === 4) writeRun(join(parent, name), { ...finished({}, value), history });
    }
    return events;
  };

  it('go to Optuna and come back as they were: a search from them proposes what the first one would have', () => {
    const settings = settingsWith({ seed });
    const events = searched(settings, 12);
    writeFileSync(
      join(parent, 'search.journal.jsonl'),
      events.map((event) => `${JSON.stringify({ time: '2026-01-02T03:04:05.000Z', ...event })}\n`).join(''),
    );
    writeFileSync(path, toOptuna(parent));
    const second = settingsWith({ seed, optuna: path });
    const imports = importEvents([], second);
    const trials = [...trialsOf(events).values()];
    expect(importedTrials(imports).map(({ number, point }) => [number, point])).to.deep.equal(
      trials.map(({ number, params }) => [number, params]),
    );
    expect(importedTrials(imports).map(({ state }) => state)).to.deep.equal(
      trials.map(({ early }) => early?.state ?? 'complete'),
    );
    expect(importedTrials(imports).map(({ value }) => value)).to.deep.equal(
      trials.map(({ values, early }) => (early?.state === 'failed' ? null : (early?.value ?? values[0]))),
    );
    const next = (known: readonly Event[], imported: readonly Event[]) => {
      let trials = trialsOf(known);
      const proposals = new Proposals(second, trials, importedTrials(imported));
      return Array.from({ length: 4 }, () => {
        const proposal = proposals.next(trials)!;
        trials = withEvent(trials, proposal);
        return proposal;
      });
    };
    expect(next([], imports)).to.deep.equal(next(events, []));
    expect(next([], imports)[0]!.point).not.to.deep.equal(next([], [])[0]!.point);
  });

  it('come from Optuna with their params, values and states', function () {
    this.timeout(60_000);
    const python = pythonWith('optuna');
    if (python === undefined) return this.skip();
    const study = join(parent, '..', 'theirs.log');
    const theirs = runPython(python, script, [study]) as [number, string, Record<string, unknown>, number | null][];
    const settings = settingsWith({ optuna: { path: study, study_name: 'theirs' } });
    const [event, ...others] = importEvents([], settings);
    expect(others).to.deep.equal([]);
    const names = { complete: 'COMPLETE', pruned: 'PRUNED', failed: 'FAIL' };
    expect(event!.trials.map(({ number, state, value }) => [number, names[state], value])).to.deep.equal(
      theirs.map(([number, state, , value]) => [number, state, value]),
    );
    event!.trials.forEach(({ point: { schedule, alpha, ...point } }, i) => {
      const { schedule: text, alpha: near, ...params } = theirs[i]![2];
      expect(point).to.deep.equal(params);
      expect(schedule).to.deep.equal(JSON.parse((text as string | null) ?? 'null'));
      expect(alpha).to.be.closeTo(near as number, 1e-12);
      expect([0.1, 0.3, 0.5, 0.7, 0.9]).to.include(alpha);
    });
    const best = Math.max(...theirs.map(([, , , value]) => value ?? 0)).toFixed(4);
    expect(importLines([event!], settings)).to.deep.equal([
      `The sampler starts from 12 trials of the Optuna study "theirs", whose best val_accuracy is ${best}`,
    ]);
  });

  it('are refused in one line where there are none of use, and left out where they do not fit', () => {
    const file = join(parent, '..', 'other.log');
    const space = { x: { low: 0, high: 1 }, y: [1, 2] };
    const float = (low: number, high: number) =>
      JSON.stringify({ name: 'FloatDistribution', attributes: { low, high } });
    const trial = (params: Record<string, number>, more: object = { state: 1, value: 0.5 }) => ({
      op_code: 4,
      study_id: 0,
      datetime_start: null,
      params,
      distributions: Object.fromEntries(Object.keys(params).map((key) => [key, float(0, 9)])),
      ...more,
    });
    const study = (name: string, ...directions: number[]) => ({ op_code: 0, study_name: name, directions });
    const imported = (records: object[], optuna: object | string = file) => {
      writeFileSync(file, records.map((record) => `${JSON.stringify(record)}\n`).join(''));
      const [event] = importEvents([], parseSettings({ space, sampler: 'tpe', optuna }, 'search.json'));
      return event!.trials.map(({ number }) => number);
    };
    const one = study('one', 2);
    const good = trial({ x: 0.5, y: 2 });
    expect(
      imported([one, trial({ x: 1.5, y: 1 }), good, trial({ x: 0.5 }), trial({ x: 0, y: 1, z: 1 })]),
    ).to.deep.equal([1]);
    const cases: [records: object[], message: string, more?: object][] = [
      [[one], 'the study "one" has no trial that has ended'],
      [[one, trial({ x: 0.5, y: 2 }, { state: 0 })], 'the study "one" has no trial that has ended'],
      [[one, trial({ x: 0.5 })], 'no trial of the study "one" fits "space": trial 0 has no "y"'],
      [[one, trial({ x: 0.5, y: 3 })], 'no trial of the study "one" fits "space": trial 0 has 3 for "y"'],
      [[one, trial({ x: 2, y: 1 })], 'no trial of the study "one" fits "space": trial 0 has 2 for "x"'],
      [
        [one, trial({ x: 0, y: 1, z: 1 })],
        'no trial of the study "one" fits "space": trial 0 has "z", which is no dimension of it',
      ],
      [[study('one', 1), good], 'the study "one" has the direction "minimize", the search has "maximize"'],
      [[study('one', 2, 1), good], 'the study "one" has 2 objectives, not one'],
      [[one, study('two', 2), good], 'has 2 studies: "study_name" must be one of "one", "two"'],
      [[one, good], '"study_name" must be one of "one", got "two"', { path: file, study_name: 'two' }],
      [[one, { op_code: 1, study_id: 0 }], 'has no study'],
    ];
    for (const [records, message, optuna] of cases) {
      expect(() => imported(records, optuna)).to.throw(UserError, new RegExp(`^${file}: ${message}$`));
    }
  });

  it('are read once, when the search begins', async function () {
    this.timeout(60_000);
    const directory = makeSearch(
      { ...search, optuna: path, n_trials: 1, n_jobs: 1 },
      { num_epochs: 1, epoch_ms: 1, optimizer: 'adam' },
    );
    const run = (...args: string[]) => ended(startSearch(['--parent_dir', directory, ...args]));
    const dry = await run('--dry_run');
    expect([dry.exitCode, dry.stderr]).to.deep.equal([0, '']);
    const first = await run();
    expect([first.exitCode, first.stderr]).to.deep.equal([0, '']);
    const [, name] = /Starting: \S+\/(\S+)/.exec(first.stdout)!;
    expect(dry.stdout).to.include(name);
    expect(first.stdout).to.include('The sampler starts from 12 trials of the Optuna study "first"');
    rmSync(path);
    const second = await run('--n_trials', '2', '--extend');
    expect([second.exitCode, second.stderr]).to.deep.equal([0, '']);
    const events = readJournal(join(directory, 'search.journal.jsonl'));
    expect(events.filter(({ event }) => event === 'imported')).to.have.lengthOf(1);
    expect(events.flatMap((event) => (event.event === 'proposed' ? [event.trial] : []))).to.deep.equal([12, 13]);
    writeFileSync(join(directory, 'search.json'), JSON.stringify({ ...search, n_trials: 2, n_jobs: 1 }));
    const { exitCode, stderr } = await run();
    expect([exitCode, stderr.split('\n')[0]]).to.deep.equal([
      1,
      `error: ${join(directory, 'search.json')}: "optuna" was ${JSON.stringify({ path })}, is null`,
    ]);
    rmSync(directory, { recursive: true });
  });
});

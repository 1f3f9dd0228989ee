import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { createStudy, type Study, type StudyOptions, type TrialOutcome } from '../../index';
import { runFiles } from '../../runs/files';
import type { Event } from '../../search/journal';
import type { Launcher } from '../../search/launchers/launcher';
import { Search } from '../../search/scheduler';
import { parseSettings } from '../../search/settings/settings';
import { UserError } from '../../utils/errors';
import { readJson } from '../../utils/files';

const line = { x: { low: 0, high: 1 } } as const;
const quadratic = (x: number) => -((x - 0.3) ** 2);

/** The best value of a study of 40 trials on a quadratic function. */
function bestOf(sampler: 'tpe' | 'random', seed: number): number {
  const space = { x: { low: -5, high: 5 }, y: { low: -5, high: 5 } } as const;
  const study = createStudy({ direction: 'minimize', sampler, space, seed });
  for (let i = 0; i < 40; i++) {
    const trial = study.ask();
    study.tell(trial, (trial.params.x - 1) ** 2 + (trial.params.y + 2) ** 2);
  }
  return study.best!.value;
}

describe('a study', () => {
  const options = {
    direction: 'maximize',
    sampler: { name: 'tpe', startup_trials: 3 },
    space: { alpha: { low: 0, high: 1 }, temperature: [1, 2, 4], beta: { low: 0, high: 1, when: { temperature: 4 } } },
    seed: 5,
  } as const;

  it('has the trials of a search with the same settings', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'study-'));
    const valueOf = (params: { alpha: number; temperature: number }) => quadratic(params.alpha) / params.temperature;
    const events: Event[] = [];
    const launcher: Launcher = {
      resume: () => Promise.resolve(undefined),
      launch(child) {
        const accuracy = valueOf(readJson(join(child, runFiles.params)) as { alpha: number; temperature: number });
        const score = { epoch: 1, accuracy, loss: 0 };
        const record = { epoch: 1, train: score, val: score };
        writeFileSync(join(child, runFiles.metrics), `${JSON.stringify(record)}\n`);
        for (const name of [runFiles.bestValidation, runFiles.test]) {
          writeFileSync(join(child, name), JSON.stringify(score));
        }
        const ended = Promise.resolve({ how: 'exit code 0' });
        return Promise.resolve({ ended, status: () => ({ seconds: 0 }), signal: () => {} });
      },
    };
    const say = () => {};
    const searching = new Search({
      directory,
      params: {},
      settings: parseSettings({ ...options, n_trials: 12 }, 'search.json'),
      parallel: 1,
      events,
      append: (event) => void events.push(event),
      launcher,
      log: { info: say, warn: say, error: say },
      interrupt: { requested: false, exitCode: 130 },
      show: say,
      resolve: (given) => given,
      pollMs: 20,
      graceMs: 100,
    });
    await searching.run();
    rmSync(directory, { recursive: true });
    const points = events.flatMap((event) => (event.event === 'proposed' ? [event.point] : []));
    expect(points).to.have.lengthOf(12);

    const proposals = (seed: number) => {
      const study = createStudy({ ...options, seed });
      for (let i = 0; i < 12; i++) {
        const trial = study.ask();
        study.tell(trial, valueOf(trial.params));
      }
      return study.trials.map(({ params }) => params);
    };
    expect(proposals(5)).to.deep.equal(points);
    expect(proposals(6)).not.to.deep.equal(points);
  });

  it('finds more by TPE than by random values, on a quadratic function', () => {
    const medianOf = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
    const seeds = Array.from({ length: 11 }, (_, seed) => seed);
    const [tpe, random] = (['tpe', 'random'] as const).map((name) => medianOf(seeds.map((seed) => bestOf(name, seed))));
    expect(tpe).to.be.below(random! / 2);
  });

  it('knows its best trial in either direction, of those that are complete and have a value', () => {
    const outcomes: TrialOutcome[] = [
      0.5,
      0.7,
      NaN,
      Infinity,
      0.2,
      { state: 'failed', reason: 'no' },
      { state: 'pruned' },
    ];
    for (const [direction, best] of [
      ['maximize', 0.7],
      ['minimize', 0.2],
    ] as const) {
      const study = createStudy({ direction, sampler: 'random', space: line });
      expect(study.best).to.equal(undefined);
      for (const outcome of outcomes) {
        const trial = study.ask();
        trial.report(1, direction === 'maximize' ? 2 : -2);
        study.tell(trial, outcome);
      }
      expect(study.best).to.include({ value: best, state: 'complete' });
      expect(study.trials.map(({ number }) => number)).to.deep.equal([0, 1, 2, 3, 4, 5, 6]);
      expect(study.trials.slice(4).map(({ state }) => state)).to.deep.equal(['complete', 'failed', 'pruned']);
      expect(study.trials[6]!.value).to.equal(direction === 'maximize' ? 2 : -2);
    }
  });

  it('stops a trial that is worse than the others were, in either direction, and lets a better one go on', () => {
    for (const direction of ['maximize', 'minimize'] as const) {
      const pruner = { name: 'median', startup_trials: 3 } as const;
      const study = createStudy({ direction, sampler: 'random', pruner, space: line });
      const sign = direction === 'maximize' ? 1 : -1;
      const run = (value: number) => {
        const trial = study.ask();
        for (let step = 1; step <= 4; step++) {
          trial.report(step, sign * value * step);
          if (trial.shouldPrune()) break;
        }
        const isPruned = trial.shouldPrune();
        study.tell(trial, isPruned ? { state: 'pruned' } : sign * value * 4);
        return isPruned;
      };
      expect([1, 2, 3].map(run)).to.deep.equal([false, false, false]);
      expect([0.5, 4].map(run)).to.deep.equal([true, false]);
      expect(study.trials[3]).to.include({ state: 'pruned', value: sign * 0.5 });
    }
  });

  it('stops a trial that reported NaN, also where it was not asked at that step', () => {
    const trial = createStudy({ direction: 'maximize', sampler: 'random', pruner: 'asha', space: line }).ask();
    expect(trial.shouldPrune()).to.equal(false);
    trial.report(1, NaN);
    trial.report(2, 0.5);
    expect([trial.shouldPrune(), trial.shouldPrune()]).to.deep.equal([true, true]);
  });

  it('has several trials at a time, each of another point', () => {
    const study = createStudy({ direction: 'maximize', sampler: 'grid', space: { a: [1, 2], b: ['x', 'y'] } });
    const asked = [study.ask(), study.ask(), study.ask(), study.ask()];
    expect(asked.map(({ params: { a, b } }) => `${a}${b}`)).to.deep.equal(['1x', '1y', '2x', '2y']);
    asked.toReversed().forEach((trial) => study.tell(trial, trial.number));
    expect(study.best).to.equal(asked[3]);
    expect(() => study.ask()).to.throw(UserError, /^study\.ask: the space has no point left after 4 trials$/);
  });

  it('types the parameters by the space', () => {
    const { params } = createStudy(options).ask();
    const typed: { readonly alpha: number; readonly temperature: 1 | 2 | 4; readonly beta?: number } = params;
    expect(typed).to.have.keys(typed.temperature === 4 ? ['alpha', 'temperature', 'beta'] : ['alpha', 'temperature']);
  });

  describe('answers with one line', () => {
    const make = (changes: object) => () =>
      createStudy({ ...options, ...changes } as unknown as StudyOptions<typeof line>);
    const ended = (study: Study<typeof line>) => {
      const trial = study.ask();
      study.tell(trial, 1);
      return trial;
    };
    const wrong: [title: string, message: string, act: (study: Study<typeof line>) => unknown][] = [
      [
        'an option that there is not',
        'createStudy: "n_trials" is not an option; accepted are direction, space, sampler, pruner, seed',
        make({ n_trials: 5 }),
      ],
      [
        'no direction',
        'createStudy: "direction" must be one of "maximize", "minimize", got undefined',
        make({ direction: undefined }),
      ],
      [
        'another direction',
        'createStudy: "direction" must be one of "maximize", "minimize", got "up"',
        make({ direction: 'up' }),
      ],
      [
        'a wrong range',
        'createStudy: "space.x.high" must be above "low", which is 2, got 1',
        make({ space: { x: { low: 2, high: 1 } } }),
      ],
      [
        'a grid of a range without steps',
        'createStudy: "space.x" must be a list or have "step" or "integer" where "sampler" is "grid", got a continuous range',
        make({ space: line, sampler: undefined }),
      ],
      [
        'a trial of another study',
        'study.tell: the trial must be one that ask() of this study returned',
        (study) => study.tell(createStudy({ direction: 'maximize', sampler: 'random', space: line }).ask(), 1),
      ],
      ['a second outcome', 'study.tell: trial 0 has ended: complete', (study) => study.tell(ended(study), 2)],
      [
        'an outcome that is none',
        'study.tell: the outcome must be a number or have "state": "pruned" or "failed", got "good"',
        (study) => study.tell(study.ask(), 'good' as unknown as number),
      ],
      [
        'a state that is none',
        'study.tell: the outcome must be a number or have "state": "pruned" or "failed", got "done"',
        (study) => study.tell(study.ask(), { state: 'done' } as unknown as TrialOutcome),
      ],
      [
        'no outcome',
        'study.tell: the outcome must be a number or have "state": "pruned" or "failed", got undefined',
        (study) => study.tell(study.ask(), undefined as unknown as number),
      ],
      ['a report after the end', 'trial.report: trial 0 has ended: complete', (study) => ended(study).report(1, 1)],
      ['a step left out', 'trial.report: step must be 1, got 2', (study) => study.ask().report(2, 1)],
      [
        'a report that is no number',
        'trial.report: value must be a number, got "1"',
        (study) => study.ask().report(1, '1' as unknown as number),
      ],
    ];
    for (const [title, message, act] of wrong) {
      it(title, () => {
        const study = createStudy({ direction: 'maximize', sampler: 'random', space: line });
        expect(() => act(study))
          .to.throw(UserError)
          .with.property('message', message);
      });
    }
  });
});

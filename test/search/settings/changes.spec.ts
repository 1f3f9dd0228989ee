import { expect } from 'chai';
import { settingsChanges } from '../../../search/settings/changes';
import { parseSettings } from '../../../search/settings/settings';

const base = {
  space: {
    alpha: [0.1, 0.5],
    temperature: { low: 1, high: 20, log: true },
    num_channels: { low: 8, high: 32, step: 8 },
    optimizer: ['adam', 'sgd'],
    momentum: { low: 0, high: 0.9, when: { optimizer: 'sgd' } },
  },
  sampler: 'tpe',
  n_trials: 40,
};
const settings = (content: object) => parseSettings(content, 'search.json');
const changes = (space: object) => settingsChanges(settings(base), settings({ ...base, space }));

describe('changes of a space', () => {
  it('is empty for the same space, however written', () => {
    const same = { alpha: { values: [0.1, 0.5] }, num_channels: { low: 8, high: 39, step: 8, integer: true } };
    expect(changes({ ...base.space, ...same })).to.deep.equal({ lines: [], onlyExtends: true });
  });

  const cases: [what: string, change: object, lines: string[], onlyExtends: boolean][] = [
    ['added values', { alpha: [0.9, 0.1, 0.5] }, ['"space.alpha" has gained 0.9'], true],
    ['removed values', { alpha: [0.1] }, ['"space.alpha" has lost 0.5'], false],
    [
      'a wider range',
      { temperature: { low: 0.5, high: 40, log: true } },
      ['"space.temperature.low" was 1, is 0.5', '"space.temperature.high" was 20, is 40'],
      true,
    ],
    [
      'a range that is wider at one end only',
      { temperature: { low: 2, high: 40, log: true } },
      ['"space.temperature.low" was 1, is 2', '"space.temperature.high" was 20, is 40'],
      false,
    ],
    ['another scale', { temperature: { low: 1, high: 20 } }, ['"space.temperature.log" was true, is false'], false],
    ['a finer step', { num_channels: { low: 8, high: 32, step: 4 } }, ['"space.num_channels.step" was 8, is 4'], true],
    [
      'a step that misses old values',
      { num_channels: { low: 8, high: 32, step: 12 } },
      ['"space.num_channels.step" was 8, is 12'],
      false,
    ],
    ['no step any more', { num_channels: { low: 8, high: 32 } }, ['"space.num_channels.step" was 8, is "none"'], true],
    [
      'a list with all values',
      { num_channels: [8, 16, 24, 32, 99] },
      ['"space.num_channels" was a range, is a list'],
      true,
    ],
    ['a list without some', { num_channels: [8, 16, 32, 40] }, ['"space.num_channels" was a range, is a list'], false],
    ['a list for all numbers', { temperature: [1, 20] }, ['"space.temperature" was a range, is a list'], false],
    ['a range with all values', { alpha: { low: 0, high: 1 } }, ['"space.alpha" was a list, is a range'], true],
    [
      'another condition',
      { momentum: { low: 0, high: 0.9, when: { optimizer: ['sgd', 'adam'] } } },
      ['"space.momentum.when" was {"optimizer":["sgd"]}, is {"optimizer":["sgd","adam"]}'],
      false,
    ],
    ['a new dimension', { seed: [1, 2] }, ['"space.seed" was added'], false],
  ];
  for (const [what, change, lines, onlyExtends] of cases) {
    it(`names ${what}`, () => expect(changes({ ...base.space, ...change })).to.deep.equal({ lines, onlyExtends }));
  }

  it('names a dimension that is gone, and another order', () => {
    const { alpha, num_channels, ...rest } = base.space;
    expect(changes({ ...rest, alpha })).to.deep.equal({
      lines: ['"space.num_channels" was removed', '"space" has the order temperature, optimizer, momentum, alpha'],
      onlyExtends: false,
    });
    expect(changes({ alpha, num_channels, ...rest }).onlyExtends).to.equal(false);
  });
});

describe('settingsChanges', () => {
  const compare = (change: object) => settingsChanges(settings(base), settings({ ...base, ...change }));

  it('lets a search grow', () => {
    expect(compare({})).to.deep.equal({ lines: [], onlyExtends: true });
    expect(compare({ n_trials: 60, repeats: 3, space: { ...base.space, alpha: [0.1, 0.5, 0.9] } })).to.deep.equal({
      lines: ['"space.alpha" has gained 0.9', '"n_trials" was 40, is 60', '"repeats" was 1, is 3'],
      onlyExtends: true,
    });
    expect(compare({ n_trials: 20 })).to.deep.equal({ lines: ['"n_trials" was 40, is 20'], onlyExtends: false });
  });

  it('names what makes trials incomparable', () => {
    const change = { sampler: 'random', seed: 1, pruner: { name: 'asha', min_epochs: 2 }, metric: 'val_loss' };
    expect(compare(change)).to.deep.equal({
      lines: [
        '"sampler" was {"candidates":24,"multivariate":true,"name":"tpe","startup_trials":10}, is {"name":"random"}',
        '"seed" was 230, is 1',
        '"pruner" was {"name":"none"}, is {"min_epochs":2,"name":"asha","reduction_factor":4}',
        '"metric" was "val_accuracy", is "val_loss"',
        '"direction" was "maximize", is "minimize"',
      ],
      onlyExtends: false,
    });
  });

  it('does not mind how and where trials run', () => {
    const change = {
      n_jobs: 8,
      threads_per_trial: 2,
      max_failures: 0,
      retries: 0,
      trial_timeout: '1h',
      launcher: 'slurm',
    };
    expect(compare({ ...change, slurm: { cpus: 2 } })).to.deep.equal({ lines: [], onlyExtends: true });
  });
});

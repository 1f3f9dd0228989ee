import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { expect } from 'chai';
import fc from 'fast-check';
import fileSchema from '../../../schemas/search.schema.json';
import { editorSchema } from '../../../search/settings/schema';
import { parseSettings, readSettings } from '../../../search/settings/settings';
import { UserError } from '../../../utils/errors';

const small = { space: { alpha: [0.1, 0.5] } };
const parse = (content: unknown) => parseSettings(content, 'x/search.json');
const spaceOf = (space: unknown, more: object = { sampler: 'random' }) => parse({ space, ...more }).space;

/** The lines of the UserError, without the file's name. */
function linesOf(content: unknown): string[] {
  try {
    parse(content);
  } catch (error) {
    expect(error).to.be.instanceOf(UserError);
    return (error as UserError).message.split('\n').map((line) => {
      expect(line).to.match(/^x\/search\.json: /);
      return line.slice('x/search.json: '.length);
    });
  }
  return [];
}
const spaceLines = (space: unknown, more: object = { sampler: 'random' }) => linesOf({ space, ...more });

/** Some keys under their former and their present names. */
const former = { trials: 3, goal: 'minimize', parallel: 2, timeout: '90s' };
const present = { n_trials: 3, direction: 'minimize', n_jobs: 2, trial_timeout: '90s' };

describe('search.json', () => {
  it('fills every key', () => {
    expect(parse(small)).to.deep.equal({
      space: [{ kind: 'choice', path: 'alpha', values: [0.1, 0.5] }],
      sampler: { name: 'grid' },
      n_trials: 2,
      seed: 230,
      repeats: 1,
      pruner: { name: 'none' },
      metric: 'val_accuracy',
      direction: 'maximize',
      threads_per_trial: 1,
      max_failures: 3,
      retries: 1,
      launcher: 'local',
      slurm: {},
      ray: {},
      names: 'plain',
    });
  });

  it('accepts every key', () => {
    const content = {
      $schema: '../search.schema.json',
      ...small,
      sampler: { name: 'tpe', startup_trials: 5, candidates: 10, multivariate: false },
      n_trials: 40,
      seed: 1,
      repeats: 3,
      pruner: { name: 'hyperband', min_epochs: 2, max_epochs: 30, reduction_factor: 4 },
      metric: 'train_loss_soft',
      direction: 'minimize',
      n_jobs: 2,
      threads_per_trial: 2,
      max_failures: 0,
      retries: 0,
      trial_timeout: '1h30m',
      launcher: 'slurm',
      slurm: {
        ...{ partition: 'gpu', time: '1-12:00:00', gres: 'gpu:a100:1', cpus: 4, memory: '8G', memory_factor: 1.25 },
        ...{ account: 'vision', qos: 'long', constraint: '[a100*2&ib]|h100', nodes_exclude: 'gpu[01-04],n7' },
        ...{ signal: 'TERM@120', setup: ['module load cuda; export A="b"', ''], array_limit: 5 },
        ...{ options: ['--mail-type=END', '--exclusive', '--nodelist=n[1-2]'] },
      },
      names: 'classic',
      optuna: { path: 'study.log', study_name: 'mine' },
      ray: {
        ...{ address: 'http://head:8265', cpus: 2, gpus: 0.5, memory: '8G' },
        ...{ resources: { a100: 1 }, env: { KEY: 'value' } },
      },
    };
    const { $schema, ...rest } = content;
    expect($schema).to.equal('../search.schema.json');
    expect(parse(content)).to.deep.equal({ ...rest, space: parse(small).space, trial_timeout: 5400 });
  });

  it('accepts an Optuna study by its path or with its name, for samplers that learn', () => {
    const optuna = { ...small, sampler: 'tpe' };
    expect(parse({ ...optuna, optuna: 'study.log' })).to.deep.include({ optuna: { path: 'study.log' } });
    expect(linesOf({ ...optuna, optuna: 3 })).to.deep.equal([
      '"optuna" must be the path of a file, or an object with "path" and, where it has several studies, "study_name", got 3',
    ]);
    expect(linesOf({ ...optuna, optuna: {} })).to.deep.equal(['"optuna.path" is missing']);
    expect(linesOf({ ...optuna, optuna: { path: 'a', name: 'b' } })).to.deep.equal(['"optuna.name" is not a key']);
    expect(linesOf({ ...small, optuna: 'study.log' })).to.deep.equal([
      '"optuna" needs a "sampler" that learns from trials ("tpe"), got "grid"',
    ]);
  });

  it('accepts the former names of keys, whose mistakes it names as the file does', () => {
    expect(parse({ ...small, ...former })).to.deep.equal(parse({ ...small, ...present }));
    expect(linesOf({ ...small, trials: 0, timeout: 5 })).to.deep.equal([
      '"trials" must be >= 1, got 0',
      '"timeout" must be "90s", "30m", "2h" or "1h30m", got 5',
    ]);
    expect(linesOf({ ...small, gaol: 'minimize', goal: 'maximize' })).to.deep.equal([
      '"gaol" is not a key; did you mean "goal"?',
    ]);
  });

  it('refuses a key under both of its names with one line', () => {
    Object.entries(former).forEach(([key, value], i) => {
      const [name, same] = Object.entries(present)[i]!;
      expect(linesOf({ ...small, [key]: value, [name]: same })).to.deep.equal([
        `"${name}" and "${key}" are two names of one key: keep "${name}"`,
      ]);
    });
  });

  it('lets a change count in place of a key of either name', () => {
    const [old, now] = [
      { ...small, trials: 3 },
      { ...small, n_trials: 3 },
    ];
    for (const content of [small, old, now]) {
      expect(parseSettings(content, 'x/search.json', { n_trials: 5 }).n_trials).to.equal(5);
    }
  });

  it('survives JSON', () => {
    const space = {
      a: ['x'],
      b: { low: 1, high: 9, step: 2, when: { a: 'x' } },
      c: { values: [1], when: { b: [1, 3] } },
    };
    for (const sampler of ['grid', 'random', 'sobol', 'tpe']) {
      const settings = parse({ space, sampler, pruner: 'asha', trial_timeout: '90s' });
      expect(JSON.parse(JSON.stringify(settings))).to.deep.equal(settings);
      expect(settings.trial_timeout).to.equal(90);
    }
  });

  it('fills the options of samplers and pruners', () => {
    const { sampler, pruner } = parse({ ...small, sampler: 'tpe', pruner: { name: 'median', warmup_epochs: 3 } });
    expect(sampler).to.deep.equal({ name: 'tpe', startup_trials: 10, candidates: 24, multivariate: true });
    expect(pruner).to.deep.equal({ name: 'median', startup_trials: 5, warmup_epochs: 3 });
    expect(parse({ ...small, pruner: 'asha' }).pruner).to.deep.equal({ name: 'asha', reduction_factor: 4 });
    const hyperband = { name: 'hyperband', min_epochs: 1, reduction_factor: 3 };
    expect(parse({ ...small, pruner: 'hyperband' }).pruner).to.deep.equal(hyperband);
  });

  it('has as many trials as the grid has points, or 40', () => {
    expect(parse({ space: { a: [1, 2], b: { low: 1, high: 5, integer: true } } }).n_trials).to.equal(10);
    expect(parse({ ...small, sampler: 'random' }).n_trials).to.equal(40);
    expect(parse({ ...small, n_trials: 1 }).n_trials).to.equal(1);
  });

  it('minimizes a loss and maximizes the rest where it does not say', () => {
    for (const metric of ['val_accuracy', 'train_accuracy']) {
      expect(parse({ ...small, metric }).direction).to.equal('maximize');
    }
    expect(parse({ ...small, metric: 'val_loss' }).direction).to.equal('minimize');
    expect(parse({ ...small, metric: 'val_loss', direction: 'maximize' }).direction).to.equal('maximize');
  });

  it('brings dimensions to one form', () => {
    const space = {
      alpha: [0.1, 'x', null, { type: 'step' }, [1, 2]],
      temperature: { low: 1, high: 20, log: true },
      num_channels: { low: 8, high: 39, step: 8 },
      batch_size: { low: 1, high: 64, log: true, integer: true },
      num_epochs: { low: 1, high: 9, integer: true },
      'schedule.gamma': { low: 0.1, high: 0.95, step: 0.1, when: { num_epochs: 3, alpha: ['x', null] } },
      'teacher.0.checkpoint': { values: ['a', 'b'], when: { alpha: [[1, 2]] } },
    };
    expect(spaceOf(space)).to.deep.equal([
      { kind: 'choice', path: 'alpha', values: space.alpha },
      { kind: 'range', path: 'temperature', low: 1, high: 20, log: true },
      { kind: 'range', path: 'num_channels', low: 8, high: 32, step: 8, log: false },
      { kind: 'range', path: 'batch_size', low: 1, high: 64, step: 1, log: true },
      { kind: 'range', path: 'num_epochs', low: 1, high: 9, step: 1, log: false },
      {
        kind: 'range',
        path: 'schedule.gamma',
        low: 0.1,
        high: 0.9,
        step: 0.1,
        log: false,
        when: { num_epochs: [3], alpha: ['x', null] },
      },
      { kind: 'choice', path: 'teacher.0.checkpoint', values: ['a', 'b'], when: { alpha: [[1, 2]] } },
    ]);
  });

  it('leaves what it was given as it was', () => {
    const content = {
      space: { a: [1, 2], b: { low: 0, high: 1, when: { a: 1 } } },
      sampler: { name: 'tpe' },
      pruner: { name: 'asha' },
      slurm: {},
    };
    const before = structuredClone(content);
    parse(content);
    expect(content).to.deep.equal(before);
  });

  it('names what is wrong with a key', () => {
    const cases: [object, string][] = [
      [{ space: 3 }, '"space" must be an object with 1 to 100 keys of params.json, got 3'],
      [{ space: {} }, '"space" must be an object with 1 to 100 keys of params.json, got an object'],
      [
        { sampler: 'grdi' },
        '"sampler.name" must be one of "grid", "random", "sobol", "tpe", got "grdi"; did you mean "grid"?',
      ],
      [{ sampler: 3 }, '"sampler" must be one of "grid", "random", "sobol", "tpe", got 3'],
      [{ sampler: {} }, '"sampler.name" is missing'],
      [
        { sampler: { name: 'tpe', candidate: 3 } },
        '"sampler.candidate" is not a key; did you mean "sampler.candidates"?',
      ],
      [{ pruner: { name: 'asha', reduction_factor: 1 } }, '"pruner.reduction_factor" must be >= 2, got 1'],
      [{ n_trials: 0 }, '"n_trials" must be >= 1, got 0'],
      [{ ntrials: 5 }, '"ntrials" is not a key; did you mean "n_trials"?'],
      [{ seed: -1 }, '"seed" must be >= 0, got -1'],
      [{ repeats: 1.5 }, '"repeats" must be an integer, got 1.5'],
      [
        { metric: 'accuracy' },
        '"metric" must be "train_" or "val_" and a number of metrics.jsonl, as in "val_accuracy", got "accuracy"',
      ],
      [{ direction: 'min' }, '"direction" must be one of "maximize", "minimize", got "min"'],
      [{ trial_timeout: '2 hours' }, '"trial_timeout" must be "90s", "30m", "2h" or "1h30m", got "2 hours"'],
      [{ trial_timeout: '' }, '"trial_timeout" must be "90s", "30m", "2h" or "1h30m", got ""'],
      [{ trial_timeout: '0h0s' }, '"trial_timeout" must be "90s", "30m", "2h" or "1h30m", got "0h0s"'],
      [{ trial_timeout: 60 }, '"trial_timeout" must be "90s", "30m", "2h" or "1h30m", got 60'],
      [{ launcher: 'sulrm' }, '"launcher" must be one of "local", "slurm", "ray", got "sulrm"; did you mean "slurm"?'],
      [{ slurm: { partition: 'a b' } }, '"slurm.partition" must be the name of a partition, got "a b"'],
      [
        { slurm: { gres: 'gpu:1\n#SBATCH' } },
        '"slurm.gres" must be generic resources, as in "gpu:1", got "gpu:1\\n#SBATCH"',
      ],
      [{ slurm: { account: '--x y' } }, '"slurm.account" must be the name of an account, got "--x y"'],
      [{ slurm: { qos: '' } }, '"slurm.qos" must be the name of a quality of service, got ""'],
      [{ slurm: { constraint: 'a b' } }, '"slurm.constraint" must be features of nodes, as in "a100|h100", got "a b"'],
      [
        { slurm: { nodes_exclude: 'n1 n2' } },
        '"slurm.nodes_exclude" must be names of nodes, as in "node7" or "gpu[01-04]", got "n1 n2"',
      ],
      [{ slurm: { signal: 'KILL@9' } }, '"slurm.signal" must be a signal and seconds, as in "TERM@120", got "KILL@9"'],
      [{ slurm: { memory_factor: 0.5 } }, '"slurm.memory_factor" must be a number from 1 to 16, got 0.5'],
      [{ slurm: { setup: ['a\nb'] } }, '"slurm.setup.0" must be a line of a shell script, got "a\\nb"'],
      [
        { slurm: { options: ['--exclusive', '--wrap=true'] } },
        '"slurm.options.1" must be an option of sbatch that has no key here and that the launcher does not set, as in ' +
          '"--reservation=course", got "--wrap=true"',
      ],
      [{ slurm: { cpu: 1 } }, '"slurm.cpu" is not a key; did you mean "slurm.cpus"?'],
      [{ space: { seed: [1, 2] }, repeats: 2 }, '"repeats" must be 1 where "space" has "seed", got 2'],
    ];
    for (const [change, line] of cases) expect(linesOf({ ...small, ...change })).to.deep.equal([line]);
    expect(linesOf({})).to.deep.equal(['"space" is missing']);
    expect(linesOf([])).to.deep.equal(['must be an object, got an array of 0']);
    expect(linesOf({ ...small, seed: 'a', n_trials: 'b' })).to.have.lengthOf(2);
  });

  it('names what is wrong with a dimension', () => {
    const range = { low: 1, high: 10 };
    const cases: [dimension: unknown, ...lines: string[]][] = [
      [3, '"space.x" must be a list of values, or an object with "low" and "high" or with "values", got 3'],
      [[], '"space.x" must be a list of at least one value, got an array of 0'],
      [{ values: [] }, '"space.x.values" must be a list of at least one value, got an array of 0'],
      [{ values: [1], low: 1 }, '"space.x.low" is not a key'],
      [{ low: 1 }, '"space.x.high" is missing'],
      [{ ...range, hihg: 1 }, '"space.x.hihg" is not a key; did you mean "space.x.high"?'],
      [{ low: 1, high: 1 }, '"space.x.high" must be above "low", which is 1, got 1'],
      [
        { low: -1e308, high: 1e308 },
        '"space.x.high" must lie at a finite distance from "low", which is -1e+308, got 1e+308',
      ],
      [{ low: 0, high: 1e300, integer: true }, '"space.x.high" must be an integer where "integer" is true, got 1e+300'],
      [{ low: 0, high: 1, log: true }, '"space.x.low" must be above 0 where "log" is true, got 0'],
      [
        { low: 0.5, high: 1.5, integer: true },
        '"space.x.low" must be an integer where "integer" is true, got 0.5',
        '"space.x.high" must be an integer where "integer" is true, got 1.5',
      ],
      [{ ...range, step: 0.5, integer: true }, '"space.x.step" must be an integer where "integer" is true, got 0.5'],
      [{ ...range, step: 0 }, '"space.x.step" must be > 0, got 0'],
      [{ ...range, step: 10 }, '"space.x.step" must be at most "high" − "low", which is 9, got 10'],
      [
        { ...range, step: 1e-300 },
        '"space.x.step" must be larger: not so many numbers lie between "low" and "high", got 1e-300',
      ],
      [
        { ...range, step: 2, log: true },
        '"space.x.step" must be absent where "log" is true (with "integer": true it is 1), got 2',
      ],
      [[1, 2, 1], '"space.x.2" must differ from the values before it, got 1'],
      [
        {
          values: [
            { a: 1, b: 2 },
            { b: 2, a: 1 },
          ],
        },
        '"space.x.values.1" must differ from the values before it, got an object',
      ],
      [
        [1, JSON.parse('[1e400]')],
        '"space.x.1" must hold only finite numbers and at most 20 levels, got an array of 1',
      ],
    ];
    for (const [dimension, ...lines] of cases) expect(spaceLines({ x: dimension })).to.deep.equal(lines);
    const deep = JSON.parse(`${'['.repeat(50000)}${']'.repeat(50000)}`) as unknown;
    expect(spaceLines({ x: [deep] })).to.have.lengthOf(1);
  });

  it('names what is wrong with a path', () => {
    for (const path of ['', 'a b', 'a..b', '.a', 'a.', '1', '../a', '__proto__', 'a.__proto__']) {
      const space = JSON.parse(`{${JSON.stringify(path)}: [1]}`) as unknown;
      expect(spaceLines(space)).to.deep.equal([
        `"space" must have keys of params.json, as "alpha" or "schedule.gamma", got ${JSON.stringify(path)}`,
      ]);
    }
    expect(spaceLines({ 'schedule.gamma': [1], schedule: [{}] })).to.deep.equal([
      '"space.schedule" must stand before "space.schedule.gamma", which it would overwrite, got the other order',
    ]);
    expect(spaceLines({ schedule: [{}], 'schedule.gamma': [1], schedules: [1] })).to.deep.equal([]);
  });

  it('names what is wrong with a condition', () => {
    const space = (when: unknown) => ({
      optimizer: ['adam', 'sgd'],
      alpha: { low: 0, high: 1 },
      x: { low: 0, high: 1, when },
      later: [1],
    });
    const cases: [unknown, string][] = [
      [{ optimizer: 'sdg' }, '"space.x.when.optimizer" must be one of the values of "space.optimizer", got "sdg"'],
      [
        { optimizer: ['sgd', 'lamb'] },
        '"space.x.when.optimizer" must be one of the values of "space.optimizer", got "lamb"',
      ],
      [
        { optimizer: [] },
        '"space.x.when.optimizer" must be a value of "space.optimizer" or a list of some, got an array of 0',
      ],
      [{ alpha: 0.5 }, '"space.x.when.alpha" must name a list or a range with "step" or "integer", got "alpha"'],
      [{ later: 1 }, '"space.x.when.later" must name a dimension that stands before it, got "later"'],
      [{ x: 1 }, '"space.x.when.x" must name a dimension that stands before it, got "x"'],
      [
        {},
        '"space.x.when" must be an object with dimensions that stand before, as in {"optimizer": "sgd"}, got an object',
      ],
    ];
    for (const [when, line] of cases) expect(spaceLines(space(when))).to.deep.equal([line]);
  });

  it('names what a sampler cannot do', () => {
    expect(spaceLines({ x: { low: 0, high: 1 } }, { sampler: 'grid' })).to.deep.equal([
      '"space.x" must be a list or have "step" or "integer" where "sampler" is "grid", got a continuous range',
    ]);
    const wide = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`x${i}`, [1, 2]]));
    expect(spaceLines(wide(53), { sampler: 'sobol' })).to.deep.equal([]);
    expect(spaceLines(wide(54), { sampler: 'sobol' })).to.deep.equal([
      '"space" must have at most 53 dimensions where "sampler" is "sobol", got 54',
    ]);
  });
});

describe('readSettings', () => {
  let directory: string;
  before(() => (directory = mkdtempSync(join(tmpdir(), 'search-'))));
  after(() => rmSync(directory, { recursive: true }));

  it('gives the published grid where there is no file', () => {
    const settings = readSettings(join(directory, 'search.json'));
    expect(settings).to.include({ n_trials: 40, names: 'classic' });
    expect(settings.sampler).to.deep.equal({ name: 'grid' });
    expect(settings.space.map(({ path }) => path)).to.deep.equal(['alpha', 'temperature']);
  });

  it('names the file in each mistake', () => {
    const path = join(directory, 'search.json');
    writeFileSync(path, '{"space": {"alpha": [1]}, "n_trials": 0, "seed": 1.5}');
    expect(() => readSettings(path)).to.throw(
      UserError,
      `${path}: "n_trials" must be >= 1, got 0\n${path}: "seed" must be an integer, got 1.5`,
    );
    writeFileSync(path, '{');
    expect(() => readSettings(path)).to.throw(UserError, `${path}: not valid JSON`);
  });
});

describe('search.schema.json', () => {
  const isAccepted = new Ajv({ strict: true, strictTypes: false, allErrors: true }).compile(editorSchema());

  it('is what the code says', () => {
    const current = JSON.stringify(editorSchema(), null, 2);
    expect(fileSchema, '"npm run docs" writes schemas/search.schema.json anew').to.deep.equal(JSON.parse(current));
  });

  it('accepts what the reader accepts, which answers the rest with clear lines', () => {
    const clear =
      /^(must be an object, got .+|".*" (is missing|is not a key|must .+, got .+)(; did you mean ".+"\?)?|and \d+ more)$/s;
    const of = <T>(...likely: fc.Arbitrary<T>[]) => fc.oneof(...likely, fc.jsonValue());
    const number = fc.oneof(fc.integer({ min: -1, max: 9 }), fc.double({ min: 0, max: 9, noNaN: true }));
    const when = fc.dictionary(fc.constantFrom('a', 'b', 'c.d', '__proto__'), of<unknown>(number, fc.array(number)));
    const range = fc.record(
      { low: of(number), high: of(number), step: number, log: fc.boolean(), integer: fc.boolean(), when: of(when) },
      { requiredKeys: ['low', 'high'] },
    );
    const values = fc.uniqueArray(of<unknown>(number, fc.constant('a')), { maxLength: 4 });
    const dimension = of<unknown>(range, values, fc.record({ values, when }));
    const space = fc.dictionary(fc.constantFrom('a', 'b', 'c.d', 'c', '__proto__', 'x y'), dimension, { maxKeys: 3 });
    const plugin = of<unknown>(
      fc.constantFrom('grid', 'tpe', 'median', 'asha'),
      fc.record({ name: fc.constantFrom('tpe', 'hyperband', 'x'), min_epochs: number, candidates: of(number) }),
    );
    const content = fc.record(
      {
        space: of<unknown>(space),
        sampler: plugin,
        pruner: plugin,
        n_trials: of(number),
        metric: of(fc.constantFrom('val_loss', 'x')),
        trial_timeout: of(fc.constantFrom('1h', '', '3')),
        slurm: of<unknown>(fc.record({ cpus: number, memory: fc.string() })),
        names: of(fc.constantFrom('plain', 'classic')),
      },
      { requiredKeys: [] },
    );
    let accepted = 0;
    const check = (content: unknown) => {
      const lines = linesOf(content);
      for (const line of lines) expect(line).to.match(clear);
      if (lines.length === 0) {
        accepted++;
        expect(isAccepted(content), JSON.stringify([content, isAccepted.errors])).to.equal(true);
      }
    };
    fc.assert(fc.property(fc.oneof(content, fc.jsonValue()), check), { numRuns: 300 });
    const low = fc.integer({ min: 1, max: 3 });
    const high = fc.integer({ min: 5, max: 9 });
    const step = fc.constantFrom(1, 0.5, 2);
    const likelyRange = fc.oneof(
      fc.record({ low, high, step }),
      fc.record({ low, high, log: fc.boolean(), integer: fc.boolean(), when: fc.constant({ a: 1 }) }),
    );
    const a = fc.uniqueArray(fc.oneof(low, fc.jsonValue()), { minLength: 1, selector: (x) => JSON.stringify(x) });
    const likely = fc.record({ space: fc.record({ a, b: likelyRange }), sampler: fc.constantFrom('tpe', 'sobol') });
    fc.assert(fc.property(likely, check), { numRuns: 300 });
    expect(accepted).to.be.above(100);
    expect(isAccepted({ ...small, ...former }), JSON.stringify(isAccepted.errors)).to.equal(true);
    expect(isAccepted({ ...small, timeout: 3 })).to.equal(false);
    expect(isAccepted({ ...small, trails: 3 })).to.equal(false);
    expect(isAccepted({ ...small, sampler: { name: 'tpe', min_epochs: 3 } })).to.equal(false);
  });
});

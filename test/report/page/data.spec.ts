import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { collectRuns } from '../../../report/collect/collect';
import { pageData } from '../../../report/page/data';
import { rowsOf } from '../../../report/table/rows';
import { makeTable, type TableOptions } from '../../../report/table/table';
import { finished, writeRun } from '../../helpers/runs';

describe('pageData', () => {
  let parent: string;
  beforeEach(() => (parent = mkdtempSync(join(tmpdir(), 'page-data-'))));
  afterEach(() => rmSync(parent, { recursive: true }));

  const read = (options?: TableOptions) => pageData(makeTable(rowsOf(collectRuns(parent)), options), parent);
  const epochs = (values: readonly (readonly [loss: number | null, accuracy: number])[]) =>
    values.map(([loss, accuracy], i) => ({ epoch: i + 1, train: { loss: 1, accuracy: 0.1 }, val: { loss, accuracy } }));

  it('has mean and sample standard deviation of the curves of repeats, epoch by epoch', () => {
    const curves = [
      epochs([
        [2, 0.5],
        [1, 0.7],
      ]),
      epochs([
        [4, 0.5],
        [null, 0.9],
      ]),
    ];
    for (const [i, history] of curves.entries()) {
      writeRun(join(parent, `seed_${i}`), { ...finished({ alpha: 0.3, seed: i }, 0.5, 2), history });
    }
    const { rows, runs } = read();
    expect(runs).to.equal(2);
    expect(rows).to.deep.equal([
      {
        id: 'seed_*',
        runs: 2,
        status: 'finished',
        curves: {
          epochs: [1, 2],
          values: {
            train_loss: { mean: [1, 1], deviation: [0, 0] },
            train_accuracy: { mean: [0.1, 0.1], deviation: [0, 0] },
            // The second run's loss of epoch 2 is no number: one value has no deviation.
            val_loss: { mean: [3, 1], deviation: [1.4142, null] },
            val_accuracy: { mean: [0.5, 0.8], deviation: [0, 0.14142] },
          },
        },
      },
    ]);
  });

  it('keeps params exact, and metrics as the table shows them', () => {
    for (const seed of [1, 2, 3])
      writeRun(join(parent, `a/${seed}`), finished({ alpha: 0.95, seed }, 0.7 + seed / 100));
    writeRun(join(parent, 'b'), finished({ alpha: 0.1, seed: 1 }, 0.5));
    const { columns } = read();
    const column = (name: string) => columns.find((one) => one.name === name)!;
    expect(column('alpha')).to.deep.include({ kind: 'param', keys: [0.95, 0.1], texts: ['0.95', '0.1'] });
    expect(column('test_accuracy')).to.deep.include({ kind: 'metric', texts: ['0.7200 ± 0.0100 (3)', '0.5000'] });
    expect(column('test_accuracy').keys![0]).to.be.closeTo(0.72, 1e-12);
    expect(column('directory')).to.deep.equal({
      name: 'directory',
      kind: 'other',
      shown: true,
      numeric: false,
      texts: ['a/*', 'b'],
    });
  });

  it('tells once what is the same for all runs, and where they ran', () => {
    for (const i of [1, 2, 3]) {
      const run = finished({ alpha: i / 10, teacher: 'resnet20' }, 0.5);
      writeRun(join(parent, String(i)), { ...run, run: { ...run.run, host: i < 3 ? 'lab' : 'home' } });
    }
    const { shared, environment, columns } = read();
    expect(shared).to.deep.include({ name: 'teacher', text: 'resnet20' });
    expect(shared.map(({ name }) => name)).not.to.include('alpha');
    expect(columns.map(({ name }) => name)).not.to.include('teacher');
    expect(environment.find(({ name }) => name === 'host')).to.deep.equal({
      name: 'host',
      values: [
        { text: 'lab', runs: 2 },
        { text: 'home', runs: 1 },
      ],
      more: 0,
    });
  });

  it('tells many numbers by their range, and many texts by the commonest', () => {
    for (let i = 1; i <= 6; i++) {
      const run = finished({ alpha: i }, 0.5);
      writeRun(join(parent, String(i)), { ...run, run: { step_ms: 10.1239 * i, host: i < 3 ? 'lab' : `node-${i}` } });
    }
    const { environment } = read();
    expect(environment[0]).to.deep.equal({ name: 'step_ms', values: [{ text: '10.1 to 60.7', runs: 6 }], more: 0 });
    expect(environment[1]!.values[0]).to.deep.equal({ text: 'lab', runs: 2 });
    expect(environment[1]!.more).to.equal(1);
  });

  it('tells defaults, which params.json leaves out, from values that it gives', () => {
    const resolved = {
      alpha: 0.9,
      temperature: 4,
      momentum: 0.9,
      optimizer: 'adam',
      schedule: { type: 'step', gamma: 0.2 },
    };
    const put = (name: string, given: object, effective: object) => {
      const run = finished(given, 0.5);
      writeRun(join(parent, name), {
        ...run,
        run: { ...run.run, params: run.params, resolved: { ...run.params, ...effective } },
      });
    };
    put('alone', {}, { ...resolved, method: { name: 'nokd' }, teacher: 'none' });
    const short = { method: 'kd', teacher: { model: 'resnet20' }, schedule: 'step', temperature: 4 };
    put('distilled', short, {
      ...resolved,
      method: { name: 'kd' },
      teacher: short.teacher,
      momentum: 0.8,
      optimizer: 'sgd',
    });
    put(
      'implied',
      { model_version: 'cnn_distill', temperature: 8 },
      { ...resolved, method: { name: 'kd' }, temperature: 8 },
    );
    // An earlier version, which left no defaults in run.json.
    writeRun(join(parent, 'older'), finished({ alpha: 0.5 }, 0.5));
    const { columns } = read({ columns: ['alpha', 'temperature', 'momentum', 'method', 'teacher', 'schedule.type'] });
    const shown = columns.map(({ name, defaults, keys, texts }) => [name, defaults, keys ?? texts]);
    expect(shown.slice(0, 6)).to.deep.equal([
      // What a student alone does not read has no place in a chart.
      ['alpha', [0, 1, 2], [null, 0.9, 0.9, 0.5]],
      ['temperature', [0], [null, 4, 8, null]],
      ['momentum', [0, 1, 2], [0.9, 0.8, 0.9, null]],
      ['method', undefined, ['nokd', 'kd', 'kd', 'nokd']],
      ['teacher', [0], ['none', 'resnet20', null, null]],
      ['schedule.type', [0, 2], ['step', 'step', 'step', null]],
    ]);
    expect(columns[0]!.texts).to.deep.equal(['0.9', '0.9', '0.9', '0.5']);
  });

  it('says why a run failed, diverged, cannot be read or stopped', () => {
    writeRun(join(parent, 'good'), finished({}, 0.5));
    const bad = writeRun(join(parent, 'bad'), finished({}, 0.5));
    writeFileSync(join(bad, 'metrics_test_best_weights.json'), '{"acc');
    writeRun(join(parent, 'stopped'), { ...finished({}, 0.5), test: undefined });
    writeRun(join(parent, 'crashed'), { params: { alpha: -1 } });
    const failure = { event: 'failed', name: 'crashed', repeat: 0, reason: '"alpha" must be positive' };
    const pruned = ['diverged', 'hopeless'].map((name) => ({
      event: 'pruned',
      name,
      repeat: 0,
      value: null,
      epochs: 3,
    }));
    const events = [failure, { ...pruned[0], reason: 'epoch 4: the loss is NaN' }, pruned[1]];
    writeFileSync(join(parent, 'search.journal.jsonl'), events.map((event) => `${JSON.stringify(event)}\n`).join(''));
    for (const name of ['diverged', 'hopeless'])
      writeRun(join(parent, name), { ...finished({}, 0.5), test: undefined });
    const alone = { ...finished({}, 0.5), test: undefined, run: { diverged: 'epoch 2: the loss is Infinity' } };
    writeRun(join(parent, 'single'), alone);
    const { failures } = read();
    expect(failures.map(({ directory, status }) => [directory, status])).to.deep.equal([
      ['bad', 'broken'],
      ['crashed', 'failed'],
      ['diverged', 'pruned'],
      ['single', 'failed'],
      ['stopped', 'interrupted'],
    ]);
    expect(failures[0]!.reason).to.match(/^metrics_test_best_weights\.json: not valid JSON: /);
    expect(failures[1]!.reason).to.equal('"alpha" must be positive');
    expect(failures[2]!.reason).to.equal('epoch 4: the loss is NaN');
    expect(failures[3]!.reason).to.equal('epoch 2: the loss is Infinity');
    expect(failures[4]!.reason).to.equal('');
  });

  it('has the latency that export.ts has measured, and does without', () => {
    const a = writeRun(join(parent, 'a'), finished({ alpha: 1 }, 0.5));
    writeRun(join(parent, 'b'), finished({ alpha: 2 }, 0.5));
    expect(read().columns.map(({ name }) => name)).not.to.include('latency');
    writeFileSync(join(a, 'export.json'), JSON.stringify({ float32: { latency: { batch_1: 0.437 } } }));
    const latency = () => read().columns.find(({ name }) => name === 'latency');
    expect(latency()).to.deep.include({ kind: 'cost', texts: ['0.44 ms', ''], keys: [0.437, null] });
    writeFileSync(join(a, 'export.json'), '{');
    expect(latency()).to.equal(undefined);
  });

  it('holds the curves of the best rows, and of those that run, as far as there is room', () => {
    // 200,000 epochs with 6 numbers each: a second row is too much.
    const history = new Map([
      ['epoch', Array.from({ length: 200_000 }, (_, i) => i + 1)],
      ['val_accuracy', Array<number>(200_000).fill(0.5)],
    ]);
    for (const [name, accuracy] of Object.entries({ a: 0.6, b: 0.8, c: 0.7 })) {
      writeRun(join(parent, name), finished({ alpha: accuracy }, accuracy));
    }
    const runs = collectRuns(parent).map((run) => ({ ...run, history }));
    const kept = (changed: typeof runs) => {
      const { rows, curves } = pageData(makeTable(rowsOf(changed)), parent);
      expect(curves).to.deep.equal({ had: 3, kept: 1 });
      return rows.filter((row) => row.curves).map(({ id }) => id);
    };
    expect(kept(runs)).to.deep.equal(['b']);
    expect(kept(runs.map((run) => (run.directory === 'a' ? { ...run, status: 'running' } : run)))).to.deep.equal(['a']);
  });

  it('gives every row an id of its own, and is empty where there is no run', () => {
    for (const [i, alpha] of [0.1, 0.1, 0.2, 0.2].entries()) {
      writeRun(join(parent, `r_${i}`), finished({ alpha, seed: i }, 0.5));
    }
    mkdirSync(join(parent, 'nothing'));
    expect(read().rows.map(({ id }) => id)).to.deep.equal(['r_*', 'r_* (2)']);
    expect(pageData(makeTable([]), join(parent, 'nothing'))).to.deep.equal({
      title: 'nothing',
      columns: [],
      rows: [],
      runs: 0,
      notes: [],
      shared: [],
      environment: [],
      failures: [],
      curves: { had: 0, kept: 0 },
    });
  });
});

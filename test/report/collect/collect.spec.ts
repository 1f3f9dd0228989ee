import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { collectRuns } from '../../../report/collect/collect';
import { chosenOnTest, progressOf, type Run } from '../../../report/collect/run';
import { acquireLock } from '../../../runs/lock';
import { UserError } from '../../../utils/errors';
import {
  damage,
  finished,
  writeHits,
  writePublishedRuns,
  writeRun,
  writeSeen,
  type RunFiles,
} from '../../helpers/runs';

describe('collectRuns', () => {
  let parent: string;
  beforeEach(() => (parent = mkdtempSync(join(tmpdir(), 'collect-'))));
  afterEach(() => rmSync(parent, { recursive: true }));

  const put = (name: string, files: RunFiles) => writeRun(join(parent, name), files);
  const directories = () => collectRuns(parent).map(({ directory }) => directory);

  /** The one run that there is. */
  function only(): Run {
    const runs = collectRuns(parent);
    expect(runs).to.have.lengthOf(1);
    return runs[0]!;
  }

  const statusWith = (changes: RunFiles) => {
    put('run', { ...finished({}, 0.7), ...changes });
    return only().status;
  };

  it('reads all that train.ts leaves', () => {
    put('kd/a', finished({ alpha: 0.5, schedule: { type: 'step', gamma: 0.1 }, seed: 7 }, 0.7));
    const run = only();
    expect(run).to.include({ directory: 'kd/a', status: 'finished', seed: '7' });
    expect(run.params.get('schedule.gamma')).to.equal(0.1);
    expect(run.params.has('temperature')).to.equal(false);
    expect(run.val!.metrics.get('accuracy')).to.equal(0.69);
    expect(run.last!.metrics.get('accuracy')).to.equal(0.69);
    expect([...run.test!.metrics]).to.deep.equal([
      ['accuracy', 0.7],
      ['loss', 0.8],
    ]);
    expect(run.test).to.include({ epoch: 3, selectedOn: 'validation' });
    expect(run.facts.get('parameters')).to.equal(269722);
    expect(run.errors).to.deep.equal([]);
    expect(chosenOnTest(run)).to.equal(false);
    expect(progressOf(run)).to.deep.equal({ done: 3, planned: 3 });
    expect([...run.history.keys()]).to.deep.equal([
      'epoch',
      'learning_rate',
      'train_accuracy',
      'train_loss',
      'val_accuracy',
      'val_loss',
    ]);
    expect(run.history.get('train_loss')).to.deep.equal([2, 1, 2 / 3]);
  });

  it('reads the layout of 124 published runs', () => {
    writePublishedRuns(parent);
    const runs = collectRuns(parent);
    expect(runs).to.have.lengthOf(124);
    expect(runs.every(({ status, errors }) => status === 'finished' && errors.length === 0)).to.equal(true);
    expect(runs.every(chosenOnTest)).to.equal(true);
    const byName = new Map(runs.map((run) => [run.directory, run]));
    const best = byName.get('cnn_distill_nodropout_alpha_temp/alpha_0.5_Temp_1.5')!;
    expect([...best.val!.metrics]).to.deep.equal([
      ['accuracy', 0.8569],
      ['loss', 0],
    ]);
    expect(best.params.get('temperature')).to.equal(1.5);
    expect(best.params.has('augmentation')).to.equal(false);
    expect(best.last).to.equal(undefined);
    expect(byName.get('base_resnet18')!.last!.metrics.get('accuracy')).to.be.closeTo(0.939752, 1e-12);
    expect(byName.has('base_wrn') || byName.has('cnn_distill_subset')).to.equal(false);
    const subset = runs.filter(({ directory }) => directory.startsWith('cnn_distill_subset/'));
    expect(subset.map(({ directory }) => directory.split('/')[1]).slice(0, 10)).to.deep.equal([
      ...['1.0', '2.0', '3.0', '4.5', '6.0', '8.0', '10.0', '20.0', '40.0'].map((T) => `alpha_0.01_Temp_${T}`),
      'alpha_0.1_Temp_1.0',
    ]);
  });

  it('reads what predictions of the same epoch say, and no others', () => {
    const directory = put('run', finished({}, 0.7));
    writeHits(directory, 'val', { cat: [1, 4], dog: [3, 3] }, 2);
    writeHits(directory, 'test', { cat: [1, 4], dog: [3, 3] }, 3);
    const { val, test } = only();
    expect(val!.predictions).to.equal(undefined);
    expect(val!.metrics.has('calibration_error')).to.equal(false);
    expect(test!.predictions).to.deep.include({ epoch: 3, classes: ['cat', 'dog'] });
    expect([...test!.predictions!.classAccuracies]).to.deep.equal([1 / 4, 1]);
    // Every confidence is 0.75.
    expect(test!.metrics.get('calibration_error')).to.be.closeTo(0.75 - 4 / 7, 1e-12);
  });

  it('names predictions that cannot be read, and takes the scores all the same', () => {
    writeFileSync(join(put('run', finished({}, 0.7)), 'predictions_test.safetensors'), 'x');
    const { status, test, errors } = only();
    expect(status).to.equal('broken');
    expect(test!.metrics.get('accuracy')).to.equal(0.7);
    expect(errors).to.have.lengthOf(1);
    expect(errors[0]!.file).to.equal('predictions_test.safetensors');
    expect(errors[0]!.reason).to.match(/^not a valid safetensors file: /);
  });

  it('reads what a teacher says about test images, and names a file that cannot be read', () => {
    const directory = put('run', finished({}, 0.7));
    writeSeen(directory, { labels: [0, 1, 1], student: [0, 1, 0], teacher: [0, 0, 1] });
    expect(only().teacher!.softTargets).to.deep.include({ images: 3, accuracy: 2 / 3, classes: 2, temperature: 4 });
    damage(join(directory, 'predictions_teacher.safetensors'));
    const { status, teacher, errors } = only();
    expect([status, teacher, errors.map(({ file }) => file)]).to.deep.equal([
      'broken',
      undefined,
      ['predictions_teacher.safetensors'],
    ]);
  });

  it('does not take predictions alone for a run', () => {
    writeHits(put('run', {}), 'test', { cat: [1, 4], dog: [3, 3] });
    expect(directories()).to.deep.equal([]);
  });

  it('finds runs at any depth, the directory itself too, and nothing that is put aside, linked or no run', () => {
    put('.', finished({}, 0.5));
    put('a/b/c', finished({}, 0.5));
    put('a/b', { val: { accuracy: 0.5 } });
    put('a/before_1', finished({}, 0.5));
    put('a/before_all', finished({}, 0.5));
    put('a/b/stages/1_boundary', finished({}, 0.5));
    put('a/stages', finished({}, 0.5));
    put('node_modules/x', finished({}, 0.5));
    put('plan', { params: {} });
    mkdirSync(join(parent, 'empty'));
    symlinkSync(parent, join(parent, 'a', 'loop'));
    expect(directories()).to.deep.equal(['.', 'a/b', 'a/b/c', 'a/before_all', 'a/stages']);
    expect(collectRuns(join(parent, 'a', 'b'), parent).map(({ directory }) => directory)).to.deep.equal([
      'a/b',
      'a/b/c',
    ]);
  });

  it('names keys that were edited after the run, and not defaults that run.json has had in place of them', () => {
    const run = (params: object) => ({ version: '0.1.0', params });
    const schedule = { type: 'step', step_size: 10, gamma: 0.1 };
    put('same', { params: { schedule: { type: 'step', step_size: 10 } }, run: run({ schedule }) });
    put('edited', { params: { alpha: 0.5, schedule: { ...schedule, gamma: 0.2 } }, run: run({ schedule }) });
    const changed = Object.fromEntries(collectRuns(parent).map((one) => [one.directory, [...one.changed].sort()]));
    expect(changed).to.deep.equal({ same: [], edited: ['alpha', 'schedule.gamma'] });
  });

  it('takes the seed of params.json, or else of run.json', () => {
    const { seed, ...others } = finished({}, 0.5).run as Record<string, unknown>;
    expect(seed).to.equal(230);
    put('a', finished({ seed: 3 }, 0.5));
    put('b', finished({}, 0.5));
    put('c', { ...finished({}, 0.5), run: others });
    expect(collectRuns(parent).map((run) => run.seed)).to.deep.equal(['3', '230', undefined]);
  });

  it('tells an epoch that was chosen on the test set, or nobody knows on what', () => {
    const test = { accuracy: 0.5, loss: 1, epoch: 3 };
    put('a', { ...finished({}, 0.5), val: { ...test, selected_on: 'test' }, test: { ...test, selected_on: 'test' } });
    put('b', { val: { accuracy: 0.5, loss: 1 } });
    put('c', { params: {}, history: [{ epoch: 1 }] });
    expect(collectRuns(parent).map(chosenOnTest)).to.deep.equal([true, true, false]);
  });

  describe('status', () => {
    const endedPid = spawnSync(process.execPath, ['--version']).pid;
    const leaveLock = (name: string) => {
      const owner = { pid: endedPid, host: hostname(), started: null, since: '' };
      writeFileSync(join(parent, name, '.lock'), JSON.stringify(owner));
    };

    it('is finished with the test score of the best epoch, and all epochs done', () => {
      expect(statusWith({})).to.equal('finished');
    });

    it('is interrupted without a test score', () => {
      rmSync(join(put('run', finished({}, 0.7)), 'metrics_test_best_weights.json'));
      expect(only().status).to.equal('interrupted');
    });

    it('is interrupted where a later epoch is the best, whose test score is not there yet', () => {
      expect(statusWith({ test: { accuracy: 0.6, loss: 1, epoch: 2, selected_on: 'validation' } })).to.equal(
        'interrupted',
      );
      expect(only().test).to.equal(undefined);
    });

    it('is interrupted where num_epochs was raised', () => {
      expect(statusWith({ params: { num_epochs: 4 } })).to.equal('interrupted');
    });

    it('is interrupted after the first line of run.json, or the first checkpoint', () => {
      put('a', { params: { num_epochs: 3 }, run: { version: '0.1.0' } });
      put('b', { params: { num_epochs: 3 } });
      writeFileSync(join(parent, 'b', 'last.safetensors'), '');
      expect(collectRuns(parent).map((run) => run.status)).to.deep.equal(['interrupted', 'interrupted']);
    });

    it('is running while its lock is held, whatever there is', () => {
      const path = put('run', finished({}, 0.7));
      writeFileSync(join(path, 'run.json'), '{');
      const lock = acquireLock(path);
      expect(only().status).to.equal('running');
      lock.release();
      expect(only().status).to.equal('broken');
    });

    it('goes by the files where the lock is stale', () => {
      put('a', finished({}, 0.7));
      put('b', { ...finished({}, 0.7), test: undefined });
      put('c', { val: { accuracy: 0.5 } });
      for (const name of ['a', 'b', 'c']) leaveLock(name);
      expect(collectRuns(parent).map((run) => run.status)).to.deep.equal(['finished', 'interrupted', 'interrupted']);
    });
  });

  describe('the status of a trial', () => {
    const begun: RunFiles = { ...finished({}, 0.5), test: undefined };
    const journal = (...events: (object | string)[]) => {
      const lines = events.map((event) => (typeof event === 'string' ? event : JSON.stringify(event)));
      writeFileSync(
        join(parent, 'search.journal.jsonl'),
        [JSON.stringify({ event: 'search' }), ...lines, ''].join('\n'),
      );
    };
    const statuses = () => Object.fromEntries(collectRuns(parent).map((run) => [run.directory, run.status]));

    it('is what ended it early, as the journal of its search has it last', () => {
      for (const name of ['a', 'b', 'c', 'b/repeat_1']) put(name, begun);
      put('done', finished({}, 0.5));
      journal(
        { event: 'proposed', name: 'a', trial: 0, point: {} },
        { event: 'pruned', name: 'a', repeat: 0, value: 0.1, epochs: 3 },
        { event: 'failed', name: 'b', repeat: 1, reason: 'no memory' },
        { event: 'failed', name: 'c', repeat: 0, reason: 'no memory' },
        { event: 'started', name: 'c', repeat: 0 },
        { event: 'pruned', name: 'done', repeat: 0, value: 0.1, epochs: 3 },
      );
      const expected = { a: 'pruned', b: 'interrupted', 'b/repeat_1': 'failed', c: 'interrupted', done: 'finished' };
      expect(statuses()).to.deep.equal(expected);
      expect(collectRuns(join(parent, 'a')).map(({ status }) => status)).to.deep.equal(['pruned']);
      const lock = acquireLock(join(parent, 'a'));
      expect(statuses().a).to.equal('running');
      lock.release();
    });

    it('is failed where nothing came of it but its params', () => {
      put('a', { params: { alpha: 2 } });
      put('b', { params: { alpha: 0.5 } });
      journal({ event: 'failed', name: 'a', repeat: 0, reason: '"alpha" must be at most 1' });
      expect(statuses()).to.deep.equal({ a: 'failed' });
    });

    it('is told by the whole lines of a journal', () => {
      put('a', begun);
      journal('half of a li', 'null', { event: 'pruned', name: 'a', repeat: 0 }, '{"event": "star');
      expect(statuses()).to.deep.equal({ a: 'pruned' });
      // The writer of an event that has no end yet, or was killed there, has not acted on it.
      appendFileSync(join(parent, 'search.journal.jsonl'), JSON.stringify({ event: 'started', name: 'a', repeat: 0 }));
      expect(statuses()).to.deep.equal({ a: 'pruned' });
    });
  });

  describe('a broken file', () => {
    const contents: Readonly<Record<string, [file: string, content: string, reason: RegExp]>> = {
      'half of a JSON': ['params.json', '{"alpha": 0.', /^not valid JSON: /],
      'an empty file': ['metrics_val_best_weights.json', '', /^not valid JSON: /],
      'a list': ['run.json', '[1, 2]', /^must be an object, got an array of 2$/],
      'a number as text': [
        'metrics_test_best_weights.json',
        '{"accuracy": "0.9"}',
        /^"accuracy" must be a number, got "0.9"$/,
      ],
      null: ['metrics_val_last_weights.json', 'null', /^must be an object, got null$/],
      'a line that is cut': ['metrics.jsonl', '{"epoch": 1}\n{"epo', /^line 2: /],
      'a line with a text': [
        'metrics.jsonl',
        '{"epoch": 1, "val": {"loss": "low"}}\n',
        /^"val_loss" must be a number, got "low"$/,
      ],
    };
    for (const [name, [file, content, reason]] of Object.entries(contents)) {
      it(`is named where it is ${name}`, () => {
        writeFileSync(join(put('run', finished({ alpha: 0.5 }, 0.7)), file), content);
        const run = only();
        expect(run.status).to.equal('broken');
        expect(run.errors).to.have.lengthOf(1);
        expect(run.errors[0]!.file).to.equal(file);
        expect(run.errors[0]!.reason).to.match(reason);
      });
    }

    it('leaves the rest as it is', () => {
      writeFileSync(join(put('run', finished({ alpha: 0.5 }, 0.7)), 'metrics.jsonl'), '?');
      expect(only().params.get('alpha')).to.equal(0.5);
      expect(only().test!.metrics.get('accuracy')).to.equal(0.7);
    });

    it('may be a directory', () => {
      put('run', { val: { accuracy: 0.5 } });
      mkdirSync(join(parent, 'run', '.lock'));
      expect(only().status).to.equal('broken');
      expect(only().errors.map(({ file }) => file)).to.deep.equal(['.lock']);
    });
  });

  it('reads null as a number that JSON cannot hold, and fills gaps in the curves', () => {
    put('run', {
      history: [
        { epoch: 1, train: { loss: 1 } },
        { epoch: 2, train: { loss: null }, val: { loss: 3 } },
        { epoch: 3, val: { loss: null } },
      ],
      val: { accuracy: 0.1, loss: null },
    });
    expect(Object.fromEntries(only().history)).to.deep.equal({
      epoch: [1, 2, 3],
      train_loss: [1, NaN, NaN],
      val_loss: [NaN, 3, NaN],
    });
    expect(only().val!.metrics.get('loss')).to.deep.equal(NaN);
    expect(only().status).to.equal('interrupted');
  });

  it('refuses what is no directory', () => {
    const file = join(parent, 'file');
    writeFileSync(file, '');
    expect(() => collectRuns(join(parent, 'absent'))).to.throw(UserError, /absent: no such directory$/);
    expect(() => collectRuns(file)).to.throw(UserError, /file: not a directory$/);
  });
});

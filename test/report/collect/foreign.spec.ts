/** Tests report/collect/foreign_logs.ts and foreign_runs.ts. Logs of other tools as runs of a report. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { readScalars } from '../../../formats/tensorboard_scalars';
import { collectRuns } from '../../../report/collect/collect';
import { nameOf } from '../../../report/collect/foreign_logs';
import type { Run, RunScore } from '../../../report/collect/run';
import { rowsOf } from '../../../report/table/rows';
import { makeTable } from '../../../report/table/table';
import { toCsv } from '../../../report/writers/csv';
import { parsePythonJson } from '../../../utils/json';
import { finished, writeRun } from '../../helpers/runs';

const logs = join(__dirname, '..', '..', 'fixtures', 'logs');

let parent: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'foreign-'));
});
afterEach(() => rmSync(parent, { recursive: true }));

const byName = () => new Map(collectRuns(parent).map((run) => [run.directory, run]));
const metrics = (score: RunScore | undefined) => score && { ...Object.fromEntries(score.metrics), epoch: score.epoch };

function write(name: string, text: string): void {
  mkdirSync(join(parent, name, '..'), { recursive: true });
  writeFileSync(join(parent, name), text);
}

describe('logs of others', () => {
  it('are runs, with the numbers of their best epoch', () => {
    cpSync(logs, parent, { recursive: true });
    const runs = byName();
    expect([...runs.keys()]).to.deep.equal(['keras', 'keras_events', 'lightning_logs/version_0', 'pytorch']);
    for (const { status, errors } of runs.values()) expect([status, errors]).to.deep.equal(['finished', []]);

    const lightning = runs.get('lightning_logs/version_0')!;
    expect(metrics(lightning.val)).to.deep.equal({ accuracy: 0.625, loss: NaN, epoch: 2 });
    expect(metrics(lightning.last)).to.deep.equal({ accuracy: 0.6, loss: 0.9, epoch: 3 });
    expect(metrics(lightning.test)).to.deep.equal({ accuracy: 0.61, loss: 0.95, epoch: undefined });
    expect(lightning.history.get('epoch')).to.deep.equal([1, 2, 3]);
    expect(lightning.history.get('train_loss')).to.deep.equal([2, 1, 2 / 3]);

    expect(metrics(runs.get('keras')!.val)).to.deep.equal({ accuracy: 0.55, loss: 1.25, epoch: 2 });
    expect(runs.get('keras')!.history.get('train_accuracy')).to.deep.equal([0.3, 0.5, 0.7]);
    const events = runs.get('keras_events')!;
    expect(metrics(events.val)).to.deep.equal({ accuracy: Math.fround(0.45), loss: 1.25, epoch: 2 });
    expect(events.history.get('train_loss')).to.deep.equal([1.9, 1.2].map(Math.fround));

    const pytorch = runs.get('pytorch')!;
    expect(metrics(pytorch.val)).to.deep.equal({ accuracy: 0.69, loss: Math.fround(1.21), epoch: 3 });
    expect(pytorch.history.get('train_loss')).to.deep.equal([2 / 10, 2 / 20, 2 / 30].map(Math.fround));
    const csv = toCsv(makeTable(rowsOf([...runs.values()])));
    expect(csv).to.match(/\r\nlightning_logs\/version_0,.*0\.625/);
  });

  it('hold the scalars that TensorBoard finds', () => {
    const expected = JSON.parse(readFileSync(join(logs, 'logs.json'), 'utf8')) as Record<string, object>;
    for (const [folder, scalars] of Object.entries(expected)) {
      const found = readScalars([join(logs, folder, 'events.out.tfevents.1700000000.host')]);
      expect(Object.fromEntries(found), folder).to.deep.equal(scalars);
    }
    expect(Object.keys(expected)).to.have.lengthOf(4);
  });

  it('are read up to where an event file is damaged', () => {
    const bytes = readFileSync(join(logs, 'pytorch', 'events.out.tfevents.1700000000.host'));
    const path = join(parent, 'events.out.tfevents.1');
    const whole = readScalars([join(logs, 'pytorch', 'events.out.tfevents.1700000000.host')]).get('Loss/train')!;
    for (const content of [bytes.subarray(0, 1000), Buffer.concat([bytes.subarray(0, 1000), Buffer.alloc(500)])]) {
      writeFileSync(path, content);
      const found = readScalars([path]).get('Loss/train')!;
      expect(found.length).to.be.within(5, 29);
      expect(found).to.deep.equal(whole.slice(0, found.length));
    }
  });

  it('are no runs where they lie within one, or tell nothing that is known', () => {
    writeRun(join(parent, 'ours'), finished({}, 0.5));
    cpSync(join(logs, 'pytorch'), join(parent, 'ours', 'events'), { recursive: true });
    cpSync(join(logs, 'lightning_logs', 'version_0'), join(parent, 'both'), { recursive: true });
    cpSync(join(logs, 'pytorch'), join(parent, 'both', 'tensorboard'), { recursive: true });
    cpSync(join(logs, 'other'), join(parent, 'other'), { recursive: true });
    write('table/metrics.csv', 'name,price\na,1\n');
    write('table/history.csv', 'epoch,temperature\n0,20\n');
    write('text/training.log', 'Epoch 1 of 3\nloss: 0.3\n');
    expect([...byName().keys()]).to.deep.equal(['both', 'ours']);
    expect(metrics(byName().get('both')!.val)).to.include({ accuracy: 0.625 });
  });

  it('may be those of the directory of the report itself, in percent, with other separators and names', () => {
    write(
      'history.csv',
      '\ufeffepoch;lr;train loss;Valid Acc@1;valid/loss\r\n1;0.1;2;55,5;1\r\n'.replace('55,5', '55.5'),
    );
    const run = byName().get('.')!;
    expect(metrics(run.val)).to.deep.equal({ accuracy: 0.555, loss: 1, epoch: 1 });
    expect(run.history.get('learning_rate')).to.deep.equal([0.1]);
  });

  it('are best where the loss is lowest, where there is no accuracy', () => {
    write('a/log.csv', 'epoch,loss,val_loss\n0,3,2\n1,2,inf\n2,1,1.5\n3,1,1.75\n');
    expect(metrics(byName().get('a')!.val)).to.deep.equal({ loss: 1.5, epoch: 3 });
  });

  it('are named by documented words', () => {
    const names: Readonly<Record<string, string | undefined>> = {
      val_accuracy: 'val_accuracy',
      'Accuracy/valid': 'val_accuracy',
      'validation/epoch_accuracy': 'val_accuracy',
      'eval-top1': 'val_accuracy',
      val_sparse_categorical_accuracy: 'val_accuracy',
      'Loss/test': 'test_loss',
      train_loss_epoch: 'train_loss',
      train_loss_step: undefined,
      'lr-Adam': 'learning_rate',
      loss: 'train_loss',
      val_f1: undefined,
      'accuracy of nothing': undefined,
    };
    for (const [name, own] of Object.entries(names)) expect(nameOf(name), name).to.equal(own);
    // docs/data.md tells them.
    const text = readFileSync(join(__dirname, '..', '..', '..', 'docs', 'data.md'), 'utf8');
    for (const word of [
      'metrics.csv',
      'training.log',
      'history.csv',
      'top1',
      'sparse_categorical_accuracy',
      'nll',
      'valid',
      'dev',
    ]) {
      expect(text, word).to.include(`\`${word}\``);
    }
  });
});

describe('metrics as Python writes them', () => {
  const only = (): Run => {
    const runs = collectRuns(parent);
    expect(runs).to.have.lengthOf(1);
    return runs[0]!;
  };

  it('may have NaN, infinities and a byte order mark', () => {
    write(
      'a/metrics_val_best_weights.json',
      '\ufeff{"accuracy": 0.5, "loss": NaN, "gap": -Infinity, "other": Infinity}',
    );
    write(
      'a/metrics.jsonl',
      '\ufeff{"epoch": 1, "val": {"loss": Infinity, "accuracy": 0.5}}\n{"epoch": 2, "val": {"loss": NaN}}\n',
    );
    const { val, history, errors } = only();
    expect(errors).to.deep.equal([]);
    expect(metrics(val)).to.deep.equal({ accuracy: 0.5, loss: NaN, gap: -Infinity, other: Infinity, epoch: undefined });
    expect(history.get('val_loss')).to.deep.equal([Infinity, NaN]);
  });

  it('keep such words where they are parts of texts, and are refused otherwise', () => {
    expect(parsePythonJson('{"NaN": ["-Infinity \\" NaN", NaN, -Infinity, -1]}')).to.deep.equal({
      NaN: ['-Infinity " NaN', null, -Infinity, -1],
    });
    for (const text of ['{"a": nan}', '{"a": NaNs}', 'Infinit', '{"a": --Infinity}', '{a: NaN}', '"']) {
      expect(() => parsePythonJson(text), text).to.throw(SyntaxError);
    }
  });
});

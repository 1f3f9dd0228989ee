/** What a run tells its trackers while it trains (model/experiment/trackers): MLflow's store, as its own client reads it where Python has it. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'chai';
import { openTrackers } from '../model/experiment/trackers';
import type { TrackedRun } from '../model/experiment/trackers/tracker';
import { collectRuns } from '../report/collect/collect';
import { writeMlflow } from '../report/writers/mlflow';
import { topmostRun } from '../runs/files';
import type { EpochRecord } from '../runs/metrics';
import { UserError } from '../utils/errors';
import { pythonWith, runPython } from './helpers/python';
import { experiment } from './helpers/train';
import { trainHere } from './helpers/train_here';

const script = `
import json, os, sys
os.environ['MLFLOW_ALLOW_FILE_STORE'] = 'true'
from mlflow import MlflowClient
client = MlflowClient(tracking_uri=sys.argv[1])
runs = [run for experiment in client.search_experiments() for run in client.search_runs([experiment.experiment_id])]
print(json.dumps([{
  'name': run.info.run_name, 'status': run.info.status, 'params': run.data.params, 'metrics': run.data.metrics,
  'history': [[m.step, m.value] for m in client.get_metric_history(run.info.run_id, 'val_accuracy')],
  'artifacts': sorted(file.path for file in client.list_artifacts(run.info.run_id))} for run in runs]))
`;

const epoch = (number: number): EpochRecord => ({
  epoch: number,
  learning_rate: 0.1,
  train: { loss: 1 / number, 'loss/kd': 0.5 },
  val: { accuracy: number / 10, loss: 2 },
});

describe('trackers of a run', function () {
  this.timeout(120_000);
  let scratch: string;
  let store: string;
  let directory: string;
  let warnings: string[];
  beforeEach(() => {
    scratch = mkdtempSync(join(tmpdir(), 'trackers-'));
    [store, directory] = [join(scratch, 'mlruns'), join(scratch, 'experiments', 'mine')];
    mkdirSync(directory, { recursive: true });
    warnings = [];
  });
  afterEach(() => rmSync(scratch, { recursive: true }));

  const run = (done: number): TrackedRun => ({
    directory,
    params: { alpha: 0.5 },
    resolved: { alpha: 0.5, teacher: { model: 'resnet8' } },
    steps: 6 * done,
    history: Array.from({ length: done }, (_, i) => epoch(i + 1)),
    commit: undefined,
    log: { warn: (line) => void warnings.push(line) },
  });
  const mlflow = () => [{ name: 'mlflow', directory: store } as const];
  const linesOf = (metric: string) => {
    const file = readdirSync(store, { recursive: true, encoding: 'utf8' }).find((path) => path.endsWith(metric));
    return file === undefined ? [] : readFileSync(join(store, file), 'utf8').split('\n').slice(0, -1);
  };
  const stepsOf = (metric: string) => linesOf(metric).map((line) => line.split(' ').slice(1).map(Number));

  it('have each epoch once and at its time, however often a run goes on', () => {
    const first = openTrackers(run(0), mlflow());
    first.onEpoch(6, [epoch(1)], 1);
    first.onEpoch(12, [epoch(1), epoch(2)], 1);
    const before = linesOf('val_accuracy');
    expect(stepsOf('val_accuracy')).to.deep.equal([
      [0.1, 1],
      [0.2, 2],
    ]);
    // Killed before its second checkpoint, and once more behind the third, before MLflow heard of it.
    openTrackers(run(1), mlflow()).onEpoch(12, [epoch(1), epoch(2)], 1);
    expect(linesOf('val_accuracy')[0]).to.equal(before[0]);
    const last = openTrackers(run(3), mlflow());
    expect(stepsOf('val_accuracy').map(([, step]) => step)).to.deep.equal([1, 2, 3]);
    expect(stepsOf('train_loss.kd')).to.have.lengthOf(3);
    last.onEnd({ status: 'finished', steps: 18, test: { metrics: { accuracy: 0.25, loss: 2 }, epoch: 3 } });
    expect(stepsOf('test_accuracy')).to.deep.equal([[0.25, 3]]);
    openTrackers(run(0), mlflow());
    expect([stepsOf('val_accuracy'), stepsOf('test_accuracy')]).to.deep.equal([[], []]);
  });

  it('leave alone what people write of a run in MLflow', () => {
    const tracker = openTrackers(run(0), mlflow());
    const meta = readdirSync(store, { recursive: true, encoding: 'utf8' }).find((path) =>
      /\/.*\/meta\.yaml$/.test(path),
    );
    const tags = join(store, meta!, '..', 'tags');
    const note = join(tags, 'mlflow.note.content');
    writeFileSync(note, 'the one for the paper');
    writeFileSync(join(tags, 'mlflow.source.git.commit'), 'an earlier one');
    tracker.onEpoch(6, [epoch(1)], 1);
    openTrackers(run(1), mlflow()).onEnd({ status: 'finished', steps: 6 });
    expect(readFileSync(note, 'utf8')).to.equal('the one for the paper');
    expect(readdirSync(tags).sort()).to.deep.equal(['distillery.directory', 'mlflow.note.content', 'mlflow.runName']);
  });

  it('do not end a training if their store is lost, and refuse one that they cannot write', () => {
    const tracker = openTrackers(run(0), mlflow());
    rmSync(store, { recursive: true });
    writeFileSync(store, 'no folder');
    for (const done of [1, 2]) tracker.onEpoch(6 * done, run(done).history, 1);
    tracker.onEnd({ status: 'finished', steps: 12 });
    expect(warnings).to.have.lengthOf(1);
    expect(warnings[0]).to.match(/mlruns.*; MLflow sees no more of this run$/);
    expect(() => openTrackers(run(0), mlflow())).to.throw(UserError, /^[^\n]*mlruns[^\n]*$/);
  });

  it('know repeats, repetitions and stages as parts of their run', () => {
    const at = (...path: string[]) => join(directory, ...path);
    expect(topmostRun(at('repeat_1'))).to.equal(at('repeat_1'));
    writeFileSync(at('params.json'), '{}');
    mkdirSync(at('again_1'));
    writeFileSync(at('again_1', 'params.json'), '{}');
    for (const path of [[], ['repeat_1'], ['again_2'], ['stages', '1_teacher'], ['again_1', 'stages', '2_student']]) {
      expect(topmostRun(at(...path)), path.join('/')).to.equal(directory);
    }
    expect(topmostRun(at('other'))).to.equal(at('other'));
  });

  it('are read by MLflow while a run trains and when it has ended', function () {
    const python = pythonWith('mlflow');
    if (python === undefined) return this.skip();
    const read = () => (runPython(python, script, [pathToFileURL(store).href]) as Record<string, unknown>[])[0];
    const tracker = openTrackers(run(0), mlflow());
    tracker.onEpoch(6, [epoch(1)], 1);
    const running = read();
    expect(running).to.deep.include({ name: 'mine', status: 'RUNNING', history: [[1, 0.1]], artifacts: [] });
    expect(running).to.deep.include({ params: { alpha: '0.5', teacher: 'resnet8' } });
    writeFileSync(join(directory, 'best.safetensors'), 'weights');
    tracker.onEpoch(12, [epoch(1), epoch(2)], 1);
    tracker.onEnd({ status: 'finished', steps: 12, test: { metrics: { accuracy: 0.25, loss: 2 }, epoch: 2 } });
    const finished = read();
    expect(finished).to.deep.include({ status: 'FINISHED', artifacts: ['best.safetensors'] });
    expect(finished!.history).to.deep.equal([
      [1, 0.1],
      [2, 0.2],
    ]);
    expect(finished!.metrics).to.include({ test_accuracy: 0.25, train_loss: 0.5, 'train_loss.kd': 0.5 });
  });

  it('are what params.json names, and may change when a run resumes; the report says the same of it', async () => {
    const train = async (num_epochs: number, trackers?: unknown[]) => {
      const changes = { dataset: { name: 'shapes', train: 40, test: 10 }, num_channels: 2, batch_size: 12 };
      experiment(directory, { ...changes, num_epochs, ...(trackers && { trackers }) });
      expect((await trainHere(['--model_dir', directory])).error).to.equal(undefined);
    };
    await train(1, []);
    expect([existsSync(store), existsSync(join(directory, 'events'))]).to.deep.equal([false, false]);
    await train(2, mlflow());
    expect(stepsOf('val_accuracy').map(([, step]) => step)).to.deep.equal([1, 2]);
    expect(existsSync(join(directory, 'events'))).to.equal(false);
    await train(3, ['tensorboard', ...mlflow()]);
    expect(readdirSync(join(directory, 'events'))).to.have.lengthOf(1);
    expect(stepsOf('val_accuracy').map(([, step]) => step)).to.deep.equal([1, 2, 3]);
    // The report knows how well the run is calibrated, too.
    const isOfBoth = (path: string) => !path.includes('calibration');
    const files = () => readdirSync(store, { recursive: true, encoding: 'utf8' }).filter(isOfBoth).sort();
    const [before, lines] = [files(), linesOf('val_accuracy')];
    expect(before.filter((path) => path.includes('artifacts')).length).to.be.at.least(4);
    writeMlflow(store, join(directory, '..'), collectRuns(join(directory, '..')));
    expect(files()).to.deep.equal(before);
    expect(linesOf('val_accuracy')).to.deep.equal(lines);
    writeMlflow(store, directory, collectRuns(directory));
    expect(files()).to.deep.equal(before);
  });
});

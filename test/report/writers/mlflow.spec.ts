/** Runs in MLflow's file store: as they are written, and as MLflow's own client reads them, where Python has it. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'chai';
import { collectRuns } from '../../../report/collect/collect';
import { writeMlflow } from '../../../report/writers/mlflow';
import { pythonWith, runPython } from '../../helpers/python';
import { finished, writeRun } from '../../helpers/runs';

const script = `
import json, os, sys
os.environ['MLFLOW_ALLOW_FILE_STORE'] = 'true'
from mlflow import MlflowClient
client = MlflowClient(tracking_uri=sys.argv[1])
experiment = client.get_experiment_by_name('my_search')
runs = client.search_runs([experiment.experiment_id], order_by=['metrics.test_accuracy DESC'])
print(json.dumps([{
  'name': run.info.run_name, 'status': run.info.status, 'seconds': (run.info.end_time - run.info.start_time) / 1000,
  'params': run.data.params, 'metrics': run.data.metrics,
  'history': [[m.step, m.value] for m in client.get_metric_history(run.info.run_id, 'val_accuracy')],
  'artifacts': sorted(file.path for file in client.list_artifacts(run.info.run_id))} for run in runs]))
`;

describe('writeMlflow', () => {
  let parent: string;
  let root: string;
  beforeEach(() => {
    const scratch = mkdtempSync(join(tmpdir(), 'mlflow-'));
    [parent, root] = [join(scratch, 'my_search'), join(scratch, 'mlruns')];
    const run = finished({ alpha: 0.5, learning_rates: { 'fc*': 0.1 } }, 0.6);
    const history = run.history!.map((record) => ({ ...record, train: { loss: 2, 'loss/kd': 1 } }));
    writeRun(join(parent, 'a'), { ...run, history });
    writeFileSync(join(parent, 'a', 'best.safetensors'), 'weights');
    writeRun(join(parent, 'b'), { ...finished({ alpha: 0.9, num_epochs: 9 }, 0.5), test: undefined });
    writeMlflow(root, parent, collectRuns(parent));
  });
  afterEach(() => rmSync(join(parent, '..'), { recursive: true }));

  it('writes an experiment with a folder for each run, the same ones each time', () => {
    const listed = () => readdirSync(root, { recursive: true, encoding: 'utf8' }).sort();
    const before = listed();
    expect(before.filter((path) => path.endsWith('meta.yaml'))).to.have.lengthOf(3);
    writeMlflow(root, parent, collectRuns(parent));
    expect(listed()).to.deep.equal(before);
    const loss = before.find((path) => path.endsWith('train_loss.kd'))!;
    expect(readFileSync(join(root, loss), 'utf8')).to.match(/^\d+ 1 1\n\d+ 1 2\n\d+ 1 3\n$/);
    expect(before.some((path) => path.endsWith(join('params', 'learning_rates.fc_')))).to.equal(true);
    expect(existsSync(join(parent, 'a', 'best.safetensors'))).to.equal(true);
  });

  it('is read by MLflow', function () {
    this.timeout(120_000);
    const python = pythonWith('mlflow');
    if (python === undefined) return this.skip();
    const [first, second] = runPython(python, script, [pathToFileURL(root).href]) as Record<string, unknown>[];
    expect(first).to.deep.include({
      name: 'a',
      status: 'FINISHED',
      artifacts: ['best.safetensors', 'params.json', 'run.json'],
    });
    expect(first!.history).to.deep.equal([
      [1, 0.59 / 3],
      [2, (0.59 * 2) / 3],
      [3, 0.59],
    ]);
    expect(first!.params).to.include({ alpha: '0.5', model_version: 'cnn' });
    expect(first!.metrics).to.include({ test_accuracy: 0.6, 'train_loss.kd': 1 });
    expect(first!.seconds).to.be.closeTo(211, 1);
    expect(second).to.include({ name: 'b', status: 'KILLED' });
  });
});

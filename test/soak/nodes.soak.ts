/**
 * One distillation, trained, evaluated and exported by several versions of Node: its checkpoints, metrics, predictions and exports
 * are the same bytes. DISTILLERY_NODES lists the programs, as PATH lists folders; without it there is nothing to compare.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { expect } from 'chai';
import { experiment, snapshot, writeInitialWeights } from '../helpers/train';

const root = join(__dirname, '..', '..');
const listed = (process.env.DISTILLERY_NODES ?? '').split(delimiter).filter((path) => path !== '');

/** Much of what is computed by Node itself and not in the graph: augmentations, schedules, draws, metrics. */
const distilled = {
  model_version: 'cnn_distill',
  teacher: { model: 'cnn', num_channels: 8, checkpoint: 'teacher.safetensors' },
  method: ['kd', { name: 'crd', negatives: 16 }, 'cc'],
  augmentation: ['random_resized_crop', 'flip', 'randaugment', 'color_jitter', { name: 'cutmix', alpha: 0.5 }],
  optimizer: 'adam',
  schedule: { type: 'cosine', warmup_epochs: 1 },
  ema: 0.9,
  dropout_rate: 0.2,
  label_noise: 0.1,
  sampling: 'balanced',
  num_epochs: 3,
};
const commands = [
  ['train.ts', '--model_dir', 'run'],
  ['evaluate.ts', '--model_dir', 'run', '--split', 'test', '--temperature', '4'],
  ['export.ts', '--model_dir', 'run'],
  ['export.ts', '--model_dir', 'run', '--precision', 'int8'],
  ['generate_logits.ts', '--model_dir', 'run'],
  [
    'synthesize_results.ts',
    '--parent_dir',
    '.',
    '--format',
    'csv',
    '--columns',
    'directory,best_epoch,val_loss,test_loss',
  ],
];
/** These tell the time, or the machine. */
const varying = /^run\/(run|export)\.json$|^run\/train\.log$|^run\/events\//;

describe('versions of Node', function () {
  this.timeout(10 * 60_000);
  const scratch = mkdtempSync(join(tmpdir(), 'nodes-'));
  after(() => rmSync(scratch, { recursive: true }));

  function resultsOf(node: string, folder: string): Record<string, string> {
    mkdirSync(folder);
    writeInitialWeights(join(folder, 'teacher.safetensors'), 'cnn', 8);
    experiment(join(folder, 'run'), distilled);
    for (const [script, ...args] of commands) {
      const argv = [require.resolve('ts-node/dist/bin'), join(root, script!), ...args];
      const { status, stderr } = spawnSync(node, argv, { cwd: folder, encoding: 'utf8' });
      expect({ status, stderr }, `${node} ${script}`).to.deep.equal({ status: 0, stderr: '' });
    }
    return Object.fromEntries(Object.entries(snapshot(folder)).filter(([path]) => !varying.test(path)));
  }

  it('come to the same bytes', function () {
    if (listed.length === 0) return this.skip();
    const nodes = [process.execPath, ...listed];
    const versions = nodes.map((node) => execFileSync(node, ['-p', 'process.version'], { encoding: 'utf8' }).trim());
    console.log(`      ${versions.join(', ')}`);
    const [first, ...others] = nodes.map((node, i) => resultsOf(node, join(scratch, String(i))));
    expect(first).to.include.keys(
      'run/best.safetensors',
      'run/last.safetensors',
      'run/metrics.jsonl',
      'run/metrics_test_best_weights.json',
      'run/predictions_test.safetensors',
      'run/evaluation/evaluation_test_best.json',
      'run/student.onnx',
      'run/student.int8.onnx',
      'run/train_logits.npy',
      'results.csv',
    );
    others.forEach((results, i) => expect(results, versions[i + 1]).to.deep.equal(first));
  });
});

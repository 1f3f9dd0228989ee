/** train.ts with an encoder in an ONNX file as the teacher: no logits, and vectors that are judged by labelled images. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { UserError } from '../utils/errors';
import { expectSameBytes } from './helpers/disturbances';
import { experiment } from './helpers/train';
import { trainHere } from './helpers/train_here';

const encoder = {
  onnx: join(__dirname, 'fixtures', 'onnx_taps', 'tiny_vit.dynamo.onnx'),
  output: 'embedding',
  outputs: { pooled: { value: 'norm', tokens: 'class' }, stage1: { value: 'blocks.2', tokens: 'map' } },
};
const changes = {
  model_version: 'resnet8',
  dataset: { name: 'shapes', train: 60, test: 20 },
  batch_size: 18,
  num_epochs: 2,
  teacher: encoder,
};

const tiny = {
  model_version: 'mlp',
  hidden_sizes: [4],
  dataset: { name: 'shapes', train: 40, test: 10 },
  batch_size: 16,
};

describe('train.ts with an encoder as the teacher', function () {
  this.timeout(120_000);
  let scratch: string;
  before(() => (scratch = mkdtempSync(join(tmpdir(), 'embedding-'))));
  after(() => rmSync(scratch, { recursive: true }));

  async function run(name: string, params: object): Promise<{ directory: string; error: unknown }> {
    const directory = experiment(join(scratch, name), { ...changes, ...params });
    const { error } = await trainHere(['--model_dir', directory]);
    return { directory, error };
  }
  const epochs = (directory: string) =>
    readFileSync(join(directory, 'metrics.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { train: Record<string, number>; val: Record<string, number> });

  it('trains vectors and patch tokens, and reports a linear probe and nearest neighbors', async () => {
    const method = {
      name: 'embedding',
      layers: [
        ['pooled', 'pooled'],
        ['stage3', 'stage1'],
      ],
    };
    const { directory, error } = await run('embedding', { method });
    expect(error).to.equal(undefined);
    const records = epochs(directory);
    expect(records).to.have.length(2);
    for (const { train, val } of records) {
      expect(train).to.have.all.keys('loss');
      expect(val).to.have.all.keys('accuracy', 'loss', 'knn_accuracy');
      expect(val.knn_accuracy).to.be.within(0, 1);
    }
    expect(records[1]!.train.loss).to.be.below(records[0]!.train.loss!);
    const test = JSON.parse(readFileSync(join(directory, 'metrics_test_best_weights.json'), 'utf8')) as object;
    expect(test).to.include.keys('accuracy', 'knn_accuracy');
  });

  // Interrupted while it evaluates, and killed both there and in a step.
  for (const index of [2, 6]) {
    it(`ends with the same bytes, disturbed in way ${index}`, () =>
      expectSameBytes(scratch, { ...changes, ...tiny, method: 'embedding' }, index));
  }

  it('trains the classifier beside it where a method uses labels', async () => {
    const { directory, error } = await run('labels', { method: ['nokd', 'embedding'], num_epochs: 1 });
    expect(error).to.equal(undefined);
    const [{ train, val }] = epochs(directory) as [{ train: object; val: object }];
    expect(train).to.include.keys('accuracy', 'loss', 'loss/ce', 'loss/embedding');
    expect(val).to.have.all.keys('accuracy', 'loss');
  });

  it('is refused by methods that need logits', async () => {
    const { error } = await run('kd', { method: 'kd' });
    expect(error).to.be.instanceOf(UserError);
    expect((error as Error).message).to.match(
      /the teacher has no output "logits"; it has stage1, stage1.preact, pooled$/,
    );
  });
});

/** Metrics of an evaluation against sums over the logits by hand. */
import { expect } from 'chai';
import { State } from '../../../engine/session';
import { makeShapes } from '../../../model/data/sets/shapes';
import { allOf, Evaluator } from '../../../model/evaluation/evaluator';
import { nets } from '../../../model/nets/index';
import { evaluationGraph, type Model } from '../../../model/nets/model';
import { draw } from '../../helpers/nets';

// More images than fit one batch of an evaluation, and a smaller last batch.
const dataset = makeShapes({ train: 270, test: 1, seed: 2 });
const model: Model = {
  net: nets.mlp!.build,
  options: { classes: 10, numChannels: 4, dropoutRate: 0, hiddenSizes: [8] },
  normalize: dataset.normalize,
  input: dataset.shape,
};

describe('Evaluator', () => {
  let evaluator: Evaluator;
  let logits: Float32Array;
  before(async () => {
    evaluator = await Evaluator.create(model, State.initial(evaluationGraph(model)).arrays(), 1);
    const { images, labels, size } = dataset.train;
    logits = (await evaluator.logits({ images, labels: Int32Array.from(labels), size })).data as Float32Array;
  });
  after(() => evaluator.release());

  it('compares with the logits of a teacher, in the order of the examples', async () => {
    const indices = allOf(dataset.train).reverse();
    const teacher = draw(0, 'teacher', [270, 10], -3, 3).data;
    let sum = 0;
    indices.forEach((example, row) => {
      for (let c = 0; c < 10; c++) sum += Math.abs(teacher[10 * row + c]! - logits[10 * example + c]!);
    });
    const { logit_difference } = await evaluator.evaluate(dataset.train, indices, teacher);
    expect(logit_difference).to.be.closeTo(sum / 2700, 1e-5 * (sum / 2700));
    const own = Float32Array.from({ length: 2700 }, (_, i) => logits[10 * indices[Math.floor(i / 10)]! + (i % 10)]!);
    expect((await evaluator.evaluate(dataset.train, indices, own)).logit_difference).to.be.closeTo(0, 1e-6);
  });

  it('gives accuracy and loss alike with and without a teacher', async () => {
    const indices = allOf(dataset.train);
    const alone = await evaluator.evaluate(dataset.train, indices);
    expect(alone).to.have.all.keys('accuracy', 'loss');
    const taught = await evaluator.evaluate(dataset.train, indices, new Float32Array(2700));
    expect(taught).to.deep.include(alone);
    let loss = 0;
    indices.forEach((example) => {
      const row = Array.from(logits.subarray(10 * example, 10 * example + 10));
      loss += Math.log(row.reduce((sum, z) => sum + Math.exp(z), 0)) - row[dataset.train.labels[example]!]!;
    });
    expect(alone.loss).to.be.closeTo(loss / 270, 1e-5);
  });
});

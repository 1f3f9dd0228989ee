import { expect } from 'chai';
import { gradients } from '../../../engine/autodiff';
import { Graph } from '../../../engine/graph';
import { oneHot } from '../../../engine/ops/index';
import { Session, State } from '../../../engine/session';
import { ndarray } from '../../../formats/ndarray';
import { weightedCrossEntropy } from '../../../model/distillers/nokd';
import { classWeights } from '../../../model/training/class_weights';
import { UserError } from '../../../utils/errors';
import oracle from '../../fixtures/updates.json';
import { expectClose, float32 } from '../../helpers/engine';

describe('class weights', () => {
  it('make all classes count the same: n / (C · n_c), by the examples that are trained on', () => {
    const labels = [0, 0, 0, 1, 2, 2];
    expect(classWeights('balanced', Uint32Array.of(0, 1, 3, 4), labels, ['a', 'b', 'c', 'd'])).to.deep.equal([
      4 / (4 * 2),
      1,
      1,
      0,
    ]);
  });

  it('are as given, one for each class', () => {
    expect(classWeights([1, 2], Uint32Array.of(0), [0], ['a', 'b'])).to.deep.equal([1, 2]);
    expect(() => classWeights([1, 2, 3], Uint32Array.of(0), [0], ['a', 'b'])).to.throw(
      UserError,
      '"class_weights" must be "balanced" or have 2 numbers, one per class, got 3',
    );
  });
});

describe('weightedCrossEntropy', () => {
  const size = oracle.labels.length;
  const classes = oracle.weights.length;
  for (const { weighted, smoothing, loss, grad } of oracle.cross_entropy) {
    it(`agrees with PyTorch ${weighted ? 'with' : 'without'} weights at smoothing ${smoothing}`, async () => {
      const graph = new Graph();
      const logits = graph.parameter('logits', [size, classes], () => float32([size, classes], oracle.logits));
      const labels = graph.constant(ndarray('int32', [size], Int32Array.from(oracle.labels)));
      const weights = weighted ? oracle.weights : undefined;
      const value = weightedCrossEntropy(logits, oneHot(labels, classes), { weights, smoothing });
      graph.output('loss', value);
      graph.output('grad', gradients(value, [logits])[0]!);
      const session = await Session.create(graph, { threads: 1 });
      const results = await session.run({}, State.initial(graph));
      expectClose(results.loss!, float32([], [loss]), 2e-6, 'loss');
      expectClose(results.grad!, float32([size, classes], grad), 3e-6, 'gradient');
      await session.release();
    });
  }
});

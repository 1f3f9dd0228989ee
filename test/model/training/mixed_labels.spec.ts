/** Tests model/training/step_graph.ts on mixed images. */
import { expect } from 'chai';
import { sgd } from '../../../engine/optimizers/index';
import { ndarray } from '../../../formats/ndarray';
import { augmentationSteps, mixesLabels } from '../../../model/data/augmentation/index';
import { batches } from '../../../model/data/loader';
import { makeShapes } from '../../../model/data/sets/shapes';
import { Evaluator } from '../../../model/evaluation/evaluator';
import { crossEntropies } from '../../../model/evaluation/metrics';
import { nets } from '../../../model/nets/index';
import type { Model } from '../../../model/nets/model';
import type { Teacher } from '../../../model/teachers/index';
import { Trainer } from '../../../model/training/trainer';
import { method, trainingOptions } from '../../helpers/training';

const dataset = makeShapes({ train: 12, test: 1, seed: 0 });
// A net that is the same in training and evaluation.
const model: Model = {
  net: nets.mlp!.build,
  options: { classes: 10, numChannels: 4, dropoutRate: 0, hiddenSizes: [8] },
  normalize: dataset.normalize,
  input: dataset.shape,
};
const pass = { shape: dataset.shape, batchSize: 12, seed: 5, epoch: 1, shuffle: true };
const all = Uint32Array.from({ length: 12 }, (_, i) => i);

describe('a step on mixed images', () => {
  const steps = augmentationSteps([{ name: 'crop' }, { name: 'mixup', alpha: 1 }]);
  const [batch] = batches(dataset.train, all, { ...pass, augment: steps });

  it('takes the cross-entropy of both labels by their shares', async () => {
    const options = { ...trainingOptions(sgd(), 12, { mixes: mixesLabels(steps) }), threads: 1 };
    const trainer = Trainer.create(model, [12], options);
    const evaluator = await Evaluator.create(model, trainer.weights(), 1);
    const logits = (await evaluator.logits(batch!)).data as Float32Array;
    const entropies = (labels: Int32Array) => crossEntropies({ logits, labels, classes: 10 });
    const { labels, mixed } = batch!;
    const [own, other] = [entropies(labels), entropies(mixed!.labels)];
    const each = own.map((value, i) => (1 - mixed!.share[i]!) * value + mixed!.share[i]! * other[i]!);
    const results = await trainer.step(batch!, { step: 1, epoch: 1, epochs: 1, learningRate: 0.1 });
    const expected = each.reduce((sum, value) => sum + value, 0) / 12;
    expect(Number(results.loss!.data[0])).to.be.closeTo(expected, 1e-5 * expected);
    // Not what the labels alone would give.
    expect(Math.abs(own.reduce((sum, value) => sum + value, 0) / 12 - expected)).to.be.above(0.001);
    await evaluator.release();
    await trainer.release();
  });

  it('shows the teacher the mixed pixels', async () => {
    const asked: Uint8Array[] = [];
    const outputs: Teacher['outputs'] = ({ images, size }) => {
      asked.push(images);
      return Promise.resolve({ logits: ndarray('float32', [size, 10]) });
    };
    const teacher: Teacher = {
      shapes: new Map([['logits', [10]]]),
      logits: async (one) => (await outputs(one, ['logits'])).logits!,
      outputs,
      release: () => Promise.resolve(),
    };
    const kd = method('kd', { weight: 1, standardize: false, focal: false });
    const options = trainingOptions(sgd(), 12, { mixes: true, methods: [kd] });
    const trainer = Trainer.create(model, [12], { ...options, teacher, threads: 1 });
    await trainer.step(batch!, { step: 1, epoch: 1, epochs: 1, learningRate: 0.1 });
    expect(asked).to.deep.equal([batch!.images]);
    await trainer.release();
  });
});

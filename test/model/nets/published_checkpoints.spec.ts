/**
 * Tests model/nets/ and formats/checkpoints.ts. Published CIFAR-10 checkpoints predict what they predict in PyTorch
 * (test/fixtures/make_teacher_predictions.py).
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { matchStateDict, readWeights } from '../../../formats/checkpoints';
import { sizeOf } from '../../../formats/ndarray';
import { loadCifar10 } from '../../../model/data/sets/cifar10';
import { Evaluator } from '../../../model/evaluation/evaluator';
import { netCalled } from '../../../model/nets/index';
import { evaluationGraph, specsOf, type Model } from '../../../model/nets/model';
import oracle from '../../fixtures/teacher_predictions.json';

const shared = join(__dirname, '..', '..', '..', '..', 'shared');
const BATCH = 250;
const CLASSES = 10;

describe('published checkpoints predict as in PyTorch', function () {
  this.timeout(120_000);

  for (const [file, { net, normalize, predictions }] of Object.entries(oracle)) {
    const path = join(shared, 'teachers', file);
    const folder = join(shared, 'data', 'cifar-10-batches-bin');

    it(`${file} (${net})`, async function () {
      if (!existsSync(path) || !existsSync(folder)) return this.skip();
      const { test, shape } = loadCifar10(folder);
      const options = { classes: CLASSES, numChannels: 32, dropoutRate: 0 };
      const model: Model = { net: netCalled(net).build, options, normalize, input: shape };
      const weights = matchStateDict(path, await readWeights(path), specsOf(evaluationGraph(model)));
      const evaluator = await Evaluator.create(model, weights, 1);
      let predicted = '';
      for (let start = 0; start < test.size; start += BATCH) {
        const size = Math.min(BATCH, test.size - start);
        const images = test.images.subarray(start * sizeOf(shape), (start + size) * sizeOf(shape));
        const { data } = await evaluator.logits({ images, labels: new Int32Array(size), size });
        for (let i = 0; i < size; i++)
          predicted += argmax(Array.from(data.subarray(i * CLASSES, (i + 1) * CLASSES), Number));
      }
      await evaluator.release();
      expect(predicted).to.have.length(predictions.length);
      const differing = [...predicted].filter((digit, i) => digit !== predictions[i]).length;
      expect(differing, 'images with another class').to.be.at.most(2);
    });
  }
});

function argmax(values: readonly number[]): number {
  return values.indexOf(Math.max(...values));
}

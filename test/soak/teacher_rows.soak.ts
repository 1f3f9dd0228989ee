/** What a network makes of an image, to the bit, whatever its place in a batch and the other images: for networks of all families. */
import { expect } from 'chai';
import { Session, State } from '../../engine/session';
import { ndarray } from '../../formats/ndarray';
import { makeShapes } from '../../model/data/sets/shapes';
import { netCalled } from '../../model/nets';
import { evaluationGraph, outputsGraph, type Model } from '../../model/nets/model';

const SIZE = 32;
const { train, shape, normalize } = makeShapes({ train: 2 * SIZE, test: 1, seed: 0 });
const names =
  'cnn resnet8 resnet18 resnet8_imagenet resnet8_stage_relu wrn10_1 preact_resnet18 resnext29 densenet100 vgg11 googlenet senet18 ' +
  'mobilenet mobilenetv2 shufflenetg2 shufflenetv2 simplenet mlp800';

describe('rows of a batch', function () {
  this.timeout(10 * 60_000);
  for (const name of names.split(' ')) {
    it(`of ${name} are the same bits in other batches of the same size`, async () => {
      const options = { classes: 10, numChannels: 32, dropoutRate: 0 };
      const model: Model = { net: netCalled(name).build, options, normalize, input: shape };
      const frozen = State.initial(evaluationGraph(model)).arrays();
      for (const threads of [1, 2]) {
        const session = await Session.create(outputsGraph(model, ['logits']), { threads, frozen, dynamicBatch: true });
        const logitsOf = async (examples: readonly number[]): Promise<Map<number, string>> => {
          const images = new Uint8Array(SIZE * 3072);
          examples.forEach((e, i) => images.set(train.images.subarray(e * 3072, (e + 1) * 3072), i * 3072));
          const { logits } = await session.run({ images: ndarray('uint8', [SIZE, ...shape], images) });
          return new Map(examples.map((e, i) => [e, logits!.data.slice(10 * i, 10 * i + 10).join()]));
        };
        const inOrder = await logitsOf(Array.from({ length: SIZE }, (_, i) => i));
        const elsewhere = await logitsOf(Array.from({ length: SIZE }, (_, i) => (i * 13 + 5) % SIZE));
        const amongOthers = await logitsOf(Array.from({ length: SIZE }, (_, i) => SIZE + 3 - 2 * i).map(Math.abs));
        for (const [example, logits] of inOrder) {
          expect(elsewhere.get(example), `${threads} threads`).to.equal(logits);
          if (amongOthers.has(example)) expect(amongOthers.get(example), `${threads} threads`).to.equal(logits);
        }
        await session.release();
      }
    });
  }
});

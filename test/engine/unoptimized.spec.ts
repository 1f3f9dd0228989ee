/**
 * Tests engine/ops/ and engine/backends/onnxruntime.ts. Training by the lowerings that are chosen for each shape, as ONNX
 * Runtime optimizes them, beside the same training with one plain lowering for all shapes and no optimization.
 *
 * Both learn the same few images by heart, slowly. Training amplifies what any other order of additions changes, once a
 * pixel before a ReLU passes 0 on one side only; the images are noise, so that pixels do not pass it together.
 */
import { expect } from 'chai';
import { OPTIMIZER_PREFIX, sgd } from '../../engine/optimizers';
import { Session, State } from '../../engine/session';
import { ndarray, sizeOf, type NdArray } from '../../formats/ndarray';
import { nets } from '../../model/nets';
import { trainingGraph } from '../../model/training/step_graph';
import { Random } from '../../utils/random';
import { PlainSession, plainly } from '../helpers/plain';
import { trainingOptions } from '../helpers/training';

const STEPS = 100;
const IMAGES = 16;
const SHAPE = [3, 32, 32] as const;
const CLASSES = 10;
const TOLERANCE = 1e-3;

/** By network: its learning rate and how many convolutions it has. */
const cases = {
  cnn: { learningRate: 0.001, convolutions: 3 },
  resnet8: { learningRate: 0.002, convolutions: 7 },
} as const;

/** What is compared as one vector: the parameters of a layer, and its statistics. Biases of a BatchNorm begin at 0. */
function groupOf(state: string): string {
  return state.replace(/\.(weight|bias)$/, '').replace(/\.running_(mean|var)$/, ' statistics');
}

/** ‖a − b‖ / ‖b‖ of the states of each group. */
function differences(names: readonly string[], a: (name: string) => NdArray, b: (name: string) => NdArray) {
  const sums = new Map<string, { error: number; norm: number }>();
  for (const name of names) {
    const sum = sums.get(groupOf(name)) ?? { error: 0, norm: 0 };
    const [x, y] = [a(name), b(name)].map(({ data }) => Array.from(data, Number));
    x!.forEach((value, i) => {
      sum.error += (value - y![i]!) ** 2;
      sum.norm += y![i]! ** 2;
    });
    sums.set(groupOf(name), sum);
  }
  return [...sums].map(([group, { error, norm }]) => [group, Math.sqrt(error / norm)] as const);
}

describe(`${STEPS} steps of training as lowered for speed and as lowered plainly`, function () {
  this.timeout(120_000);
  const pixels = new Float32Array(IMAGES * sizeOf(SHAPE));
  new Random(0, 'pixels').fillUniform(pixels, 0, 256);
  const batch = {
    images: ndarray('uint8', [IMAGES, ...SHAPE], Uint8Array.from(pixels)),
    labels: ndarray(
      'int32',
      [IMAGES],
      Int32Array.from({ length: IMAGES }, (_, i) => i % CLASSES),
    ),
  };

  for (const [net, { learningRate, convolutions }] of Object.entries(cases)) {
    it(net, async () => {
      const model = {
        net: nets[net]!.build,
        options: { classes: CLASSES, numChannels: 32, dropoutRate: 0 },
        normalize: { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] },
        input: SHAPE,
      };
      const optimizer = sgd({ momentum: 0.9, weightDecay: 5e-4 });
      const build = () => trainingGraph(model, trainingOptions(optimizer, IMAGES));
      const graph = build();
      const { built, count } = plainly(build);
      expect(count).to.equal(convolutions);
      const state = State.initial(graph);
      const plain = await PlainSession.create(built, state.arrays());
      const session = await Session.create(graph, { threads: 1 });
      const losses: number[] = [];
      for (let step = 1; step <= STEPS; step++) {
        const feeds = { ...batch, ...graph.feeds({ seed: 0, step, epoch: 1, epochs: 1, learningRate }) };
        const loss = Number((await session.run(feeds, state)).loss!.data[0]);
        const expected = await plain.step(feeds);
        expect(Math.abs(loss - expected) / expected, `loss of step ${step}`).to.be.below(TOLERANCE);
        losses.push(loss);
      }
      expect(losses.at(-1), 'it learns').to.be.below(0.8 * losses[0]!);
      const compared = state.names.filter(
        (key) => !key.startsWith(OPTIMIZER_PREFIX) && !key.endsWith('num_batches_tracked'),
      );
      const found = differences(
        compared,
        (key) => state.get(key),
        (key) => plain.get(key),
      );
      for (const [group, difference] of found) expect(difference, group).to.be.below(TOLERANCE);
      await Promise.all([session.release(), plain.release()]);
    });
  }
});

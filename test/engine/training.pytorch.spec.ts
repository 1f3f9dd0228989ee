/**
 * Tests engine/ and model/nets/ together. Ten optimizer steps of whole networks, against PyTorch in float64 (rule and cases:
 * test/fixtures/make_training.py).
 */
import { expect } from 'chai';
import { adam, sgd, type Optimizer } from '../../engine/optimizers';
import { Session, State } from '../../engine/session';
import { ndarray, sizeOf, type NdArray } from '../../formats/ndarray';
import { nets } from '../../model/nets';
import { trainingGraph } from '../../model/training/step_graph';
import { Random } from '../../utils/random';
import oracle from '../fixtures/training.json';
import { float32 } from '../helpers/engine';
import { method as methodOf, trainingOptions } from '../helpers/training';

const SEED = 7;
const BATCH = 16;
const CLASSES = 10;

interface Case {
  readonly net: string;
  readonly method: 'nokd' | 'kd';
  readonly optimizer: Optimizer;
  readonly learningRate: number;
}

interface Expected {
  readonly loss: number[];
  readonly noise: number[];
  readonly tensors: Record<string, { norm: number; first: number[]; noise: number }>;
}

const momentum = { momentum: 0.9, weightDecay: 5e-4 };

const cases: Record<keyof typeof oracle, Case> = {
  cnn_adam: { net: 'cnn', method: 'nokd', optimizer: adam(), learningRate: 1e-4 },
  cnn_distilled_adam: { net: 'cnn', method: 'kd', optimizer: adam(), learningRate: 1e-4 },
  resnet8_sgd: { net: 'resnet8', method: 'nokd', optimizer: sgd(momentum), learningRate: 0.003 },
  resnet8_nesterov: {
    net: 'resnet8',
    method: 'nokd',
    optimizer: sgd({ ...momentum, nesterov: true }),
    learningRate: 0.003,
  },
  resnet20_sgd: { net: 'resnet20', method: 'nokd', optimizer: sgd(momentum), learningRate: 0.0005 },
};

function uniform(stream: string, size: number, low: number, high: number, step = 0): Float32Array {
  const values = new Float32Array(size);
  new Random(SEED, stream).fillUniform(values, low, high, step);
  return values;
}

/** Draws weights and biases of convolutions and linear layers; BatchNorm keeps its initial 1 and 0. */
function drawWeights(state: State): void {
  for (const name of state.names) {
    const layer = name.slice(0, name.lastIndexOf('.'));
    const isDrawn = !name.startsWith('optimizer.') && state.get(`${layer}.weight`).shape.length > 1;
    if (!isDrawn) continue;
    const { shape } = state.get(name);
    const bound = 1 / Math.sqrt(sizeOf(state.get(`${layer}.weight`).shape.slice(1)));
    state.set(name, float32(shape, uniform(`test/${name}`, sizeOf(shape), -bound, bound)));
  }
}

function batchOf(step: number): Record<string, NdArray> {
  const whole = (stream: string, size: number, bound: number) =>
    uniform(stream, size, 0, 1, step).map((u) => Math.floor(bound * u));
  return {
    images: ndarray('uint8', [BATCH, 3, 32, 32], Uint8Array.from(whole('test/images', BATCH * 3 * 32 * 32, 256))),
    labels: ndarray('int32', [BATCH], Int32Array.from(whole('test/labels', BATCH, CLASSES))),
    'teacher/logits': float32([BATCH, CLASSES], uniform('test/teacher', BATCH * CLASSES, -5, 5, step)),
  };
}

describe('ten steps of training agree with PyTorch', () => {
  for (const [name, { net, method, optimizer, learningRate }] of Object.entries(cases)) {
    it(name, async () => {
      const expected: Expected = oracle[name as keyof typeof oracle];
      const model = {
        net: nets[net]!.build,
        options: { classes: CLASSES, numChannels: 32, dropoutRate: 0 },
        normalize: { mean: [0.4914, 0.4822, 0.4465], std: [0.247, 0.243, 0.261] },
        input: [3, 32, 32] as const,
      };
      const teacher = { shapes: new Map([['logits', [CLASSES]]]) };
      const graph = trainingGraph(model, {
        ...trainingOptions(optimizer, BATCH, { methods: [methodOf(method)] }),
        teacher,
      });
      const state = State.initial(graph);
      drawWeights(state);
      const session = await Session.create(graph, { threads: 1 });
      for (let step = 0; step < 10; step++) {
        const context = { seed: 0, step: step + 1, epoch: 1, epochs: 1, learningRate };
        const feeds = { ...batchOf(step), ...graph.feeds(context) };
        const loss = Number((await session.run(feeds, state)).loss!.data[0]);
        const target = expected.loss[step]!;
        const tolerance = Math.min(1e-4 * target, 10 * expected.noise[step]! + 1e-6 * target);
        expect(loss, `loss of step ${step}`).to.be.closeTo(target, tolerance);
      }
      await session.release();

      const weights = state.names.filter((key) => !key.startsWith('optimizer.') && !key.endsWith('batches_tracked'));
      expect(weights).to.have.members(Object.keys(expected.tensors));
      for (const [key, { norm, first, noise }] of Object.entries(expected.tensors)) {
        const values = Array.from(state.get(key).data, Number);
        const tolerance = 10 * noise + 1e-6 * norm;
        expect(Math.sqrt(values.reduce((sum, value) => sum + value * value, 0)), `norm of ${key}`).to.be.closeTo(
          norm,
          tolerance,
        );
        first.forEach((value, i) => expect(values[i], `${key}[${i}]`).to.be.closeTo(value, tolerance));
      }
      for (const key of state.names.filter((name) => name.endsWith('batches_tracked'))) {
        expect(state.get(key).data[0], key).to.equal(10n);
      }
    });
  }
});

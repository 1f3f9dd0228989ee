/** Programs that have to come to the same on every device: operators, optimizers and training steps. */
import { observe } from '../../engine/analysis/extremes';
import { checksum } from '../../engine/analysis/finite';
import { gradients } from '../../engine/autodiff';
import type { Backend } from '../../engine/backends';
import { Graph } from '../../engine/graph';
import { add, detach, linear, mul, oneHot, reverseGradient, square, sum } from '../../engine/ops';
import { emitRows, emitWithRows } from '../../engine/ops/shape';
import { averageWeights, minimize, optimizers, OPTIMIZER_PREFIX, sgd } from '../../engine/optimizers';
import { Session, State } from '../../engine/session';
import type { Tensor } from '../../engine/tensor';
import { ndarray, sizeOf, type NamedArrays, type NdArray } from '../../formats/ndarray';
import { nets } from '../../model/nets';
import { correct, outputShapes, type Model } from '../../model/nets/model';
import { trainingGraph } from '../../model/training/step_graph';
import { Random } from '../../utils/random';
import { float32 } from './engine';
import { operators, type OperatorCase } from './operators';
import { method, trainingOptions } from './training';

export interface DeviceCase {
  readonly build: () => Graph;
  readonly steps: number;
}

const BATCH = 4;
const IMAGE = [3, 8, 8] as const;
const STEPS = 10;
/** More tensors than a shader is given at once. */
const MANY = 40;

function drawn(name: string, shape: readonly number[], low = -1, high = 1): NdArray<'float32'> {
  const values = new Float32Array(sizeOf(shape));
  new Random(6, name).fillUniform(values, low, high);
  return float32(shape, values);
}

/** The value of an operator, and its gradients to all inputs. */
function ofOperator(name: string, { inputs, build }: OperatorCase): DeviceCase {
  return {
    steps: 1,
    build: () => {
      const graph = new Graph();
      const tensors = inputs.map((array, i) => graph.parameter(`x${i}`, array.shape, () => array));
      const y = build(...tensors);
      graph.output('y', y);
      const loss = sum(mul(y, graph.constant(drawn(name, y.shape))));
      gradients(loss, tensors).forEach((grad, i) => graph.output(`d${i}`, grad));
      return graph;
    },
  };
}

/** What has no gradient; inputs are drawn. */
function plain(build: (graph: Graph) => Tensor): DeviceCase {
  return {
    steps: 1,
    build: () => {
      const graph = new Graph();
      graph.output('y', build(graph));
      return graph;
    },
  };
}

const matrix = (graph: Graph) => graph.input('x', 'float32', [4, 5]);
const labels = (graph: Graph) => graph.input('labels', 'int32', [BATCH]);

const extremes: DeviceCase = {
  steps: 1,
  build: () => {
    const graph = new Graph();
    observe(graph, 'y', [matrix(graph)]);
    return graph;
  },
};

const withoutGradient: Readonly<Record<string, DeviceCase>> = {
  extremes,
  oneHot: plain((graph) => oneHot(labels(graph), 5)),
  detach: plain((graph) => detach(matrix(graph))),
  reverseGradient: plain((graph) => reverseGradient(matrix(graph))),
  correct: plain((graph) => correct(matrix(graph), labels(graph))),
  checksum: plain((graph) => {
    const vectors = Array.from({ length: MANY }, (_, i) => graph.input(`v${i}`, 'float32', [i + 1]));
    return checksum([matrix(graph), graph.input('number', 'float32', []), ...vectors]);
  }),
  'rows by number': plain((graph) => emitRows(graph.constant(drawn('rows', [6, 5])), labels(graph))),
  'rows replaced': plain((graph) => emitWithRows(graph.constant(drawn('rows', [6, 5])), labels(graph), matrix(graph))),
};

/** Two layers by an optimizer, with clipping and averages. */
function byOptimizer(name: string): DeviceCase {
  return {
    steps: 3,
    build: () => {
      const graph = new Graph();
      const weight = (key: string, shape: readonly number[]) => graph.parameter(key, shape, () => drawn(key, shape));
      const hidden = linear(matrix(graph), weight('a', [6, 5]), weight('bias', [6]));
      const loss = sum(square(linear(hidden, weight('b', [2, 6]))));
      const settings = { learningRate: 0.01, momentum: 0.9, nesterov: true, weightDecay: 1e-3 };
      minimize(loss, optimizers[name]!.make(settings), undefined, { clipNorm: 0.5 });
      averageWeights(graph, 0.9, (state) => !state.startsWith(OPTIMIZER_PREFIX));
      graph.output('loss', add(loss, 0));
      return graph;
    },
  };
}

/** Training steps of a network by a method; teacher outputs are drawn. */
function training(net: string, by: string): DeviceCase {
  return {
    steps: STEPS,
    build: () => {
      const model: Model = {
        net: nets[net]!.build,
        options: { classes: 10, numChannels: 8, dropoutRate: 0.2 },
        normalize: { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] },
        input: IMAGE,
      };
      const options = trainingOptions(sgd({ momentum: 0.9, weightDecay: 5e-4 }), BATCH, { methods: [method(by)] });
      return trainingGraph(model, { ...options, teacher: { shapes: outputShapes(model) } });
    },
  };
}

export const operatorCases: Readonly<Record<string, DeviceCase>> = {
  ...Object.fromEntries(
    Object.entries(operators).flatMap(([operator, cases]) =>
      Object.entries(cases).map(([variant, one]) => {
        const name = variant === '' ? operator : `${operator}: ${variant}`;
        return [name, ofOperator(name, one)] as const;
      }),
    ),
  ),
  ...withoutGradient,
  ...Object.fromEntries(Object.keys(optimizers).map((name) => [`optimizer ${name}`, byOptimizer(name)])),
};

export const trainingCases: Readonly<Record<string, DeviceCase>> = {
  cnn: training('cnn', 'nokd'),
  resnet8: training('resnet8', 'nokd'),
  'resnet8 by kd': training('resnet8', 'kd'),
  'resnet8 by rkd': training('resnet8', 'rkd'),
  'resnet8 by at': training('resnet8', 'at'),
};

/** The same on every device: labels are distinct numbers, everything else is drawn by name and step. */
function fed(graph: Graph, step: number): Record<string, NdArray> {
  const feeds = graph.feeds({ seed: 0, step, epoch: 1, epochs: 1, learningRate: 0.005 });
  for (const [name, { dtype, shape }] of graph.inputs) {
    const random = new Random(7, `${name} ${step}`);
    const size = sizeOf(shape);
    if (name in feeds) continue;
    if (dtype === 'int32')
      feeds[name] = ndarray(
        'int32',
        shape,
        Int32Array.from({ length: size }, (_, i) => (i + step) % 5),
      );
    else if (dtype === 'uint8')
      feeds[name] = ndarray(
        'uint8',
        shape,
        Uint8Array.from({ length: size }, (_, i) => random.integer(256, i)),
      );
    else feeds[name] = drawn(`${name} ${step}`, shape, 0, 2);
  }
  return feeds;
}

/**
 * Outputs of each step, and what is left in the states that count: what an optimizer keeps of biases before a BatchNorm is
 * made of rounding errors.
 */
export async function resultsOf({ build, steps }: DeviceCase, backend?: Backend): Promise<NamedArrays> {
  const graph = build();
  const session = await Session.create(graph, { threads: 1, backend });
  try {
    const state = State.initial(graph);
    const results: NamedArrays = new Map();
    for (let step = 1; step <= steps; step++) {
      const outputs = await session.run(fed(graph, step), state);
      for (const [name, array] of Object.entries(outputs)) results.set(`${name}, step ${step}`, array);
    }
    await state.toHost();
    for (const [name, array] of state.arrays()) {
      if (graph.updates.has(name) && !name.startsWith(OPTIMIZER_PREFIX)) {
        results.set(name, { ...array, data: array.data.slice() });
      }
    }
    return results;
  } finally {
    await session.release();
  }
}

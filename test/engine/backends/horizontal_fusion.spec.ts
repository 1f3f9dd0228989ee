/** Graphs with the updates of their vectors joined, beside the same graphs as they were. */
import { expect } from 'chai';
import { fuseHorizontally } from '../../../engine/backends/horizontal_fusion';
import { checksum } from '../../../engine/analysis/finite';
import { Graph } from '../../../engine/graph';
import { emitElementwise } from '../../../engine/ops/elementwise';
import { optimizers } from '../../../engine/optimizers';
import { State } from '../../../engine/session';
import type { Tensor } from '../../../engine/tensor';
import { nets } from '../../../model/nets';
import { trainingGraph, type TrainingOptions } from '../../../model/training/step_graph';
import { ndarray, sizeOf } from '../../../formats/ndarray';
import { Random } from '../../../utils/random';
import { float32 } from '../../helpers/engine';
import { PlainSession } from '../../helpers/plain';
import { trainingOptions } from '../../helpers/training';

const IMAGES = 4;
const SHAPE = [3, 32, 32] as const;

function draw(stream: string, length: number): Float32Array {
  const values = new Float32Array(length);
  new Random(5, stream).fillUniform(values, 0.5, 2);
  return values;
}

/** The step of a network, with the check of what it leaves. */
function stepOf(net: string, optimizer: string, changes: Partial<TrainingOptions> = {}): Graph {
  const model = {
    net: nets[net]!.build,
    options: { classes: 10, numChannels: 4, dropoutRate: 0.5 },
    normalize: { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] },
    input: SHAPE,
  };
  const settings = { learningRate: 0.01, momentum: 0.9, nesterov: true, weightDecay: 1e-3 };
  const graph = trainingGraph(model, trainingOptions(optimizers[optimizer]!(settings), IMAGES, changes));
  graph.output('check', checksum([...graph.updates.values()].filter(({ dtype }) => dtype === 'float32')));
  return graph;
}

/** What three steps leave, and their last loss; they are fed by the rules of `source`. */
async function steps(graph: Graph, source: Graph): Promise<Record<string, readonly number[]>> {
  const session = await PlainSession.create(graph, State.initial(graph).arrays());
  const left: Record<string, readonly number[]> = {};
  for (let step = 1; step <= 3; step++) {
    const pixels = draw(`images ${step}`, IMAGES * sizeOf(SHAPE)).map((value) => value * 100);
    const images = ndarray('uint8', [IMAGES, ...SHAPE], Uint8Array.from(pixels));
    const labels = ndarray(
      'int32',
      [IMAGES],
      Int32Array.from({ length: IMAGES }, (_, i) => i + step),
    );
    const vectors = [...graph.inputs].filter(([name]) => name.startsWith('vector'));
    const drawn = vectors.map(
      ([name, { shape }]) => [name, float32(shape, draw(`${name} ${step}`, shape[0]!))] as const,
    );
    const moment = { seed: 0, step, epoch: 1, epochs: 1, learningRate: 0.01 };
    const feeds = { images, labels, ...Object.fromEntries(drawn), ...source.feeds(moment) };
    left.loss = [await session.step(feeds)];
  }
  for (const name of graph.updates.keys()) left[name] = Array.from(session.get(name).data, Number);
  await session.release();
  return left;
}

/** Nodes of updates that make vectors. */
function vectorUpdates({ nodes }: Graph): number {
  return nodes.filter(({ name, outputs }) => name.startsWith('update/') && outputs[0]!.shape.length === 1).length;
}

async function expectSame(graph: Graph): Promise<void> {
  expect(await steps(fuseHorizontally(graph), graph)).to.deep.equal(await steps(graph, graph));
}

describe('graphs with the updates of vectors joined', function () {
  this.timeout(60_000);

  for (const optimizer of Object.keys(optimizers)) {
    it(`leave the same to the bit by ${optimizer}`, () => expectSame(stepOf('resnet8', optimizer)));
  }

  const cases: Record<string, Partial<TrainingOptions>> = {
    'clipping and averages': { clipNorm: 0.1, averageDecay: 0.9 },
    'rates and frozen layers': {
      rules: {
        isFrozen: (name) => name.startsWith('bn1'),
        rate: (name) => (name.includes('bn2') ? 0.1 : 1),
        fixesNorm: () => false,
      },
    },
    'scaling of the loss': { scalesLoss: true },
  };
  for (const [name, changes] of Object.entries(cases)) {
    it(`leave the same to the bit with ${name}`, () => expectSame(stepOf('cnn', 'adam', changes)));
  }

  it('take as many nodes whatever the number of layers', () => {
    const [small, large] = ['resnet14', 'resnet20'].map((net) => stepOf(net, 'sgd')) as [Graph, Graph];
    expect(vectorUpdates(large)).to.be.above(vectorUpdates(small));
    expect(vectorUpdates(fuseHorizontally(large))).to.equal(vectorUpdates(fuseHorizontally(small)));
  });

  describe('by hand', () => {
    const state = (graph: Graph, name: string, length: number): Tensor =>
      graph.buffer(name, 'float32', [length], () => float32([length], draw(name, length)));

    it('join vectors of different lengths, one of them 1', async () => {
      const graph = new Graph();
      for (const length of [3, 1, 5]) {
        const s = state(graph, `s${length}`, length);
        graph.update(
          s,
          emitElementwise(
            'Mul',
            emitElementwise('Add', s, graph.input(`vector${length}`, 'float32', [length])),
            graph.scalar(0.3),
          ),
        );
      }
      graph.output('loss', graph.scalar(1));
      expect(fuseHorizontally(graph).nodes.map(({ opType }) => opType)).to.have.members([
        'Concat',
        'Concat',
        'Add',
        'Mul',
        'Split',
      ]);
      await expectSame(graph);
    });

    it('join nothing that an input of another one comes from', async () => {
      const graph = new Graph();
      const [a, b] = [state(graph, 'a', 3), state(graph, 'b', 3)];
      const next = emitElementwise('Mul', a, graph.scalar(0.5));
      // As alike as can be, but b's comes from a's by way of a node that is not by element.
      const sorted = graph.emit('Softmax', [next], [3], { attributes: { axis: 0 } });
      graph.update(a, next);
      graph.update(b, emitElementwise('Mul', sorted, graph.scalar(0.5)));
      graph.output('loss', graph.scalar(1));
      await expectSame(graph);
    });

    it('join what reads the parts of a joint in another order', async () => {
      const graph = new Graph();
      const [a, b, c] = ['a', 'b', 'c'].map((name) => state(graph, name, 2)) as [Tensor, Tensor, Tensor];
      const [x, y, z] = [a, b, c].map((one) => emitElementwise('Mul', one, graph.scalar(0.5))) as [
        Tensor,
        Tensor,
        Tensor,
      ];
      graph.update(a, emitElementwise('Sub', z, x));
      graph.update(b, emitElementwise('Sub', x, y));
      graph.update(c, emitElementwise('Sub', emitElementwise('Sub', y, z), x));
      graph.output('loss', graph.scalar(1));
      await expectSame(graph);
    });

    it('wait for what comes last, where one reads another', async () => {
      const graph = new Graph();
      const [a, b] = [state(graph, 'a', 3), state(graph, 'b', 3)];
      const half = emitElementwise('Mul', a, graph.scalar(0.5));
      graph.update(a, emitElementwise('Sub', half, graph.scalar(1)));
      const last = graph.emit('Softmax', [graph.input('vector', 'float32', [3])], [3], { attributes: { axis: 0 } });
      graph.update(b, emitElementwise('Mul', last, graph.scalar(0.5)));
      graph.output('loss', graph.scalar(1));
      await expectSame(graph);
    });

    it('tell of new states and of what made them', async () => {
      const graph = new Graph();
      const [a, b] = [state(graph, 'a', 3), state(graph, 'b', 4)];
      const half = [a, b].map((one) => emitElementwise('Mul', one, graph.scalar(0.5)));
      half.forEach((one, i) => graph.update([a, b][i]!, emitElementwise('Add', one, graph.scalar(1))));
      const sum = graph.emit('ReduceSum', [half[0]!], [], { attributes: { keepdims: 0 } });
      graph.output('loss', emitElementwise('Add', sum, graph.scalar(0)));
      await expectSame(graph);
    });
  });
});

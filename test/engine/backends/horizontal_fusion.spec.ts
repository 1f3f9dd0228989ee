/** Graphs with the updates of their vectors fused, beside the same graphs as they were: fewer nodes, the same bits. */
import { expect } from 'chai';
import { checksum } from '../../../engine/analysis/finite';
import { fuseHorizontally } from '../../../engine/backends/horizontal_fusion';
import { Graph } from '../../../engine/graph';
import { emitElementwise } from '../../../engine/ops/elementwise';
import { optimizers } from '../../../engine/optimizers';
import { State } from '../../../engine/session';
import type { Tensor } from '../../../engine/tensor';
import { ndarray, sizeOf } from '../../../formats/ndarray';
import { nets } from '../../../model/nets';
import { trainingGraph, type TrainingOptions } from '../../../model/training/step_graph';
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
  const graph = trainingGraph(model, trainingOptions(optimizers[optimizer]!.make(settings), IMAGES, changes));
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
    const context = { seed: 0, step, epoch: 1, epochs: 1, learningRate: 0.01 };
    const feeds = { images, labels, ...Object.fromEntries(drawn), ...source.feeds(context) };
    left.loss = [await session.step(feeds)];
  }
  for (const name of graph.updates.keys()) left[name] = Array.from(session.get(name).data, Number);
  await session.release();
  return left;
}

/** Nodes of updates that make vectors, each by itself. */
function vectorUpdates({ nodes }: Graph): number {
  return nodes.filter(({ name, outputs }) => name.startsWith('update/') && outputs[0]!.shape.length === 1).length;
}

/** The operators that run on several vectors at once, in their order. */
function fusedOperators(fused: Graph): string[] {
  return fused.nodes.filter(({ name }) => name.startsWith('update/(vectors)/')).map(({ opType }) => opType);
}

/** Those of them that compute. */
function arithmetic(fused: Graph): string {
  return fusedOperators(fused)
    .filter((opType) => !/^(Concat|Split)$/.test(opType))
    .join(' ');
}

/** Fuses a graph and expects the same results to the bit. */
async function fusedAlike(graph: Graph): Promise<Graph> {
  const fused = fuseHorizontally(graph);
  expect(await steps(fused, graph)).to.deep.equal(await steps(graph, graph));
  return fused;
}

/** Fuses a step and expects the same results from fewer nodes, the last operators on all vectors at once being `rule`. */
async function expectFusion(graph: Graph, rule: string, nodesSaved: number): Promise<void> {
  const fused = await fusedAlike(graph);
  expect(graph.nodes.length - fused.nodes.length).to.be.at.least(nodesSaved);
  expect(arithmetic(fused)).to.match(new RegExp(`${rule}$`));
}

describe('graphs with the updates of vectors fused', function () {
  this.timeout(60_000);

  /** The end of each rule, from where all vectors go through the same operators; nodes that a step of resnet8 saves. */
  const rules: Record<string, [rule: string, nodesSaved: number]> = {
    adam: ['Add Sqrt Mul Add Div Mul Sub', 220],
    sgd: ['Mul Add Add Mul Add Mul Sub', 120],
    dot: ['Mul Sub', 40],
    adamw: ['Add Sqrt Mul Add Div Mul Sub Mul Sub', 220],
    // Every tensor is divided by a root of its own; what goes before and beside that is alike.
    novograd: ['Mul Mul', 40],
    // Clip is not among the operators that are fused; only what follows it is.
    adabound: ['Mul Sub', 80],
    amsbound: ['Mul Sub', 80],
  };
  for (const optimizer of Object.keys(optimizers)) {
    it(`update by ${optimizer} in fewer nodes, the same to the bit`, () =>
      expectFusion(stepOf('resnet8', optimizer), ...rules[optimizer]!));
  }

  const cases: Record<string, [changes: Partial<TrainingOptions>, rule: string, nodesSaved: number]> = {
    'clipping and averages': [{ clipNorm: 0.1, averageDecay: 0.9 }, 'Div Mul Sub Sub Mul Add Sub Mul Add', 220],
    'rates and frozen layers': [
      {
        rules: {
          isFrozen: (name) => name.startsWith('bn1'),
          rate: (name) => (name.includes('bn2') ? 0.1 : 1),
          fixesNorm: () => false,
        },
      },
      'Sqrt Mul Add Div Mul Sub Mul Add Div Mul Sub',
      120,
    ],
    // The check for NaN reads all updates before they are chosen.
    'scaling of the loss': [{ scalesLoss: true }, 'Where', 40],
  };
  for (const [name, [changes, rule, nodesSaved]] of Object.entries(cases)) {
    it(`update with ${name} in fewer nodes, the same to the bit`, () =>
      expectFusion(stepOf('cnn', 'adam', changes), rule, nodesSaved));
  }

  it('have as many nodes for updates whatever the number of layers', () => {
    const [small, large] = ['resnet14', 'resnet20'].map((net) => stepOf(net, 'sgd')) as [Graph, Graph];
    expect(vectorUpdates(large)).to.be.above(vectorUpdates(small));
    expect(vectorUpdates(fuseHorizontally(large))).to.equal(vectorUpdates(fuseHorizontally(small)));
  });

  describe('by hand', () => {
    const state = (graph: Graph, name: string, length: number): Tensor =>
      graph.buffer(name, 'float32', [length], () => float32([length], draw(name, length)));

    it('fuse vectors of different lengths, one of them 1', async () => {
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
      expect(fusedOperators(await fusedAlike(graph)).join(' ')).to.equal('Concat Concat Add Mul Split');
    });

    it('fuse no two of which one depends on the other', async () => {
      const graph = new Graph();
      const [a, b] = [state(graph, 'a', 3), state(graph, 'b', 3)];
      const next = emitElementwise('Mul', a, graph.scalar(0.5));
      // As alike as can be, but b's comes from a's by way of a node that is not by element.
      const sorted = graph.emit('Softmax', [next], [3], { attributes: { axis: 0 } });
      graph.update(a, next);
      graph.update(b, emitElementwise('Mul', sorted, graph.scalar(0.5)));
      graph.output('loss', graph.scalar(1));
      expect(fusedOperators(await fusedAlike(graph))).to.deep.equal([]);
    });

    it('fuse what reads the parts of a fused result in another order', async () => {
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
      expect(fusedOperators(await fusedAlike(graph)).join(' ')).to.equal('Concat Mul Split Concat Sub Split');
    });

    it('wait for the last of the operands', async () => {
      const graph = new Graph();
      const [a, b] = [state(graph, 'a', 3), state(graph, 'b', 3)];
      const half = emitElementwise('Mul', a, graph.scalar(0.5));
      graph.update(a, emitElementwise('Sub', half, graph.scalar(1)));
      const last = graph.emit('Softmax', [graph.input('vector', 'float32', [3])], [3], { attributes: { axis: 0 } });
      graph.update(b, emitElementwise('Mul', last, graph.scalar(0.5)));
      graph.output('loss', graph.scalar(1));
      expect(fusedOperators(await fusedAlike(graph)).join(' ')).to.equal('Concat Mul Split');
    });

    it('keep outputs that read new states, or what made them', async () => {
      const graph = new Graph();
      const [a, b] = [state(graph, 'a', 3), state(graph, 'b', 4)];
      const half = [a, b].map((one) => emitElementwise('Mul', one, graph.scalar(0.5)));
      half.forEach((one, i) => graph.update([a, b][i]!, emitElementwise('Add', one, graph.scalar(1))));
      const sum = graph.emit('ReduceSum', [half[0]!], [], { attributes: { keepdims: 0 } });
      graph.output('loss', emitElementwise('Add', sum, graph.scalar(0)));
      expect(fusedOperators(await fusedAlike(graph)).join(' ')).to.equal('Concat Mul Split Add Split');
    });
  });
});

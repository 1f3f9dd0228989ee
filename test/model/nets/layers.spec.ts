/** Layers under a prefix, in further passes, and with frozen weights. */
import { expect } from 'chai';
import { gradients } from '../../../engine/autodiff';
import { Graph } from '../../../engine/graph';
import { relu, sum } from '../../../engine/ops/index';
import { Session, State } from '../../../engine/session';
import type { Tensor } from '../../../engine/tensor';
import type { NdArray } from '../../../formats/ndarray';
import { Layers, type LayersOptions } from '../../../model/nets/layers';
import { UserError } from '../../../utils/errors';
import { expectClose, float32 } from '../../helpers/engine';
import { draw } from '../../helpers/nets';

const SHAPE = [8, 3, 5, 5];
const names = ['conv.weight', 'conv.bias', 'bn.weight', 'bn.bias'];
const buffers = ['bn.running_mean', 'bn.running_var', 'bn.num_batches_tracked'];

/** Convolution, BatchNorm, ReLU, and dropout. */
function block(graph: Graph, x: Tensor, options: Partial<LayersOptions> = {}): Tensor {
  const layers = new Layers(graph, { mode: 'train', seed: 3, ...options });
  const y = layers.conv('conv', x, 4, { kernel: 3, bias: true });
  return layers.dropout('drop', relu(layers.batchNorm('bn', y)), 0.25);
}

async function run(graph: Graph, feeds: Record<string, NdArray>, state: State): Promise<Record<string, NdArray>> {
  const session = await Session.create(graph, { threads: 1 });
  const ruled = graph.feeds({ seed: 3, step: 1, epoch: 1, epochs: 1, learningRate: 0 });
  const results = await session.run({ ...feeds, ...ruled }, state);
  await session.release();
  return results;
}

describe('Layers', () => {
  it('put the prefix in front of every name, by which weights are drawn', () => {
    const [plain, prefixed] = ['', 'peer.'].map((prefix) => {
      const graph = new Graph();
      block(graph, graph.input('x', 'float32', SHAPE), { prefix });
      return graph;
    });
    expect([...plain!.states.keys()]).to.have.members([...names, ...buffers]);
    expect([...prefixed!.states.keys()]).to.have.members([...names, ...buffers].map((name) => `peer.${name}`));
    expect([...prefixed!.hostValues.keys()]).to.deep.equal(['peer.drop.mask']);
    const weight = (graph: Graph, name: string) => [...graph.states.get(name)!.initial().data];
    expect(weight(prefixed!, 'peer.conv.weight')).not.to.deep.equal(weight(plain!, 'conv.weight'));
  });

  it('refuse a BatchNorm that trains on one value per channel, as PyTorch does', () => {
    const norm = (shape: number[], options: Partial<LayersOptions> = {}) => {
      const graph = new Graph();
      const layers = new Layers(graph, { mode: 'train', seed: 3, ...options });
      return () => layers.batchNorm('fcbn1', graph.input('x', 'float32', shape));
    };
    const message =
      /^"batch_size": the BatchNorm "fcbn1" needs more than one value per channel when training, got a batch/;
    for (const shape of [
      [1, 4],
      [1, 4, 1, 1],
    ]) {
      expect(norm(shape)).to.throw(UserError, message);
      expect(norm(shape, { mode: 'eval' })).not.to.throw();
      expect(norm(shape, { fixesNorm: () => true })).not.to.throw();
    }
    for (const shape of [
      [2, 4],
      [1, 4, 1, 2],
    ])
      expect(norm(shape)).not.to.throw();
  });

  it('refuse to build the same layer twice but in a further pass', () => {
    const graph = new Graph();
    const x = graph.input('x', 'float32', SHAPE);
    block(graph, x);
    expect(() => block(graph, x)).to.throw('state: "conv.weight" already exists');
    const before = [...graph.states.keys()];
    block(graph, x, { pass: 'again' });
    expect([...graph.states.keys()]).to.deep.equal(before);
    expect([...graph.hostValues.keys()]).to.deep.equal(['drop.mask', 'drop.mask@again']);
  });

  it('share weights over passes, drop other units in each, and follow the statistics of one after the other', async () => {
    const images = { x: draw(1, 'x', SHAPE, -1, 1), z: draw(1, 'z', SHAPE, 0, 3) };
    const graph = new Graph();
    const [x, z] = (['x', 'z'] as const).map((name) => graph.input(name, 'float32', SHAPE));
    graph.output('first', block(graph, x!));
    graph.output('same', block(graph, x!, { pass: 'same' }));
    graph.output('other', block(graph, z!, { pass: 'other' }));
    const state = State.initial(graph);
    const together = await run(graph, images, state);
    expect(state.get('bn.num_batches_tracked').data[0]).to.equal(3n);

    // One pass a step, three steps, without dropout's masks being compared.
    const single = new Graph();
    block(single, single.input('x', 'float32', SHAPE));
    const apart = State.initial(single);
    for (const key of ['x', 'x', 'z'] as const) await run(single, { x: images[key] }, apart);
    for (const name of apart.names) expectClose(state.get(name), apart.get(name), 1e-6, name);

    const values = (name: string) => Array.from(together[name]!.data, Number);
    const both = values('first').flatMap((value, i) =>
      value > 0 && values('same')[i]! > 0 ? [[value, values('same')[i]]] : [],
    );
    expect(both).not.to.deep.equal([]);
    for (const [one, same] of both) expect(one).to.equal(same);
    expect(values('first').some((value, i) => value > 0 && values('same')[i] === 0)).to.equal(true);
  });

  it('with frozen weights are constants that gradients flow through, and change nothing', async () => {
    const trained = new Graph();
    block(trained, trained.input('x', 'float32', SHAPE), { mode: 'eval', seed: 9 });
    const weights = State.initial(trained);
    weights.set('bn.running_mean', float32([4], [0.5, -0.5, 1, 0]));

    const gradientOf = (graph: Graph, x: Tensor, y: Tensor) => {
      graph.output('y', y);
      graph.output('dx', gradients(sum(y), [x])[0]!);
    };
    const plain = new Graph();
    const x = plain.input('x', 'float32', SHAPE);
    gradientOf(plain, x, block(plain, x, { mode: 'eval' }));
    const frozen = new Graph();
    const fx = frozen.input('x', 'float32', SHAPE);
    gradientOf(frozen, fx, block(frozen, fx, { mode: 'eval', frozen: weights.arrays() }));
    expect(frozen.states.size).to.equal(0);
    expect(frozen.updates.size).to.equal(0);

    const feeds = { x: draw(1, 'x', SHAPE, -1, 1) };
    const expected = await run(plain, feeds, weights);
    const found = await run(frozen, feeds, new State());
    for (const key of ['y', 'dx']) expectClose(found[key]!, expected[key]!, 1e-6, key);
  });

  it('name the frozen weights that are missing', () => {
    const graph = new Graph();
    const x = graph.input('x', 'float32', SHAPE);
    expect(() => block(graph, x, { mode: 'eval', frozen: new Map() })).to.throw(
      'layers: no weights for conv.weight [4, 3, 3, 3]',
    );
  });
});

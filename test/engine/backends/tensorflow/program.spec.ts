/** Graphs on TensorFlow.js: memory, layout, batches of any size, types that it does not know. */
import { expect } from 'chai';
import type { Backend } from '../../../../engine/backends';
import { openTensorflow } from '../../../../engine/backends/tensorflow';
import { loadPackage, type Tf } from '../../../../engine/backends/tensorflow/package';
import { Graph } from '../../../../engine/graph';
import { add, conv2d, flatten, maxPool, mul, relu, sum } from '../../../../engine/ops';
import { emitRows, emitWithRows } from '../../../../engine/ops/shape';
import { minimize, sgd } from '../../../../engine/optimizers';
import { Session, State } from '../../../../engine/session';
import { ndarray, sizeOf } from '../../../../formats/ndarray';
import { correct } from '../../../../model/nets/model';
import { float32 } from '../../../helpers/engine';

const counted = (...shape: number[]) =>
  float32(
    shape,
    Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(i)),
  );

describe('a graph on TensorFlow.js', () => {
  let tf: Tf;
  let backend: Backend;
  before(async () => {
    ({ tf } = await loadPackage());
    ({ backend } = await openTensorflow());
  });

  /** A step of a small network, trained by momentum. */
  function step(): Graph {
    const graph = new Graph();
    const x = graph.input('x', 'float32', [2, 3, 8, 8]);
    const weight = (name: string, ...shape: number[]) => graph.parameter(name, shape, () => counted(...shape));
    const first = relu(conv2d(x, weight('a', 4, 3, 3, 3), weight('bias', 4), { padding: 1 }));
    const second = relu(conv2d(maxPool(first, { kernel: 2 }), weight('b', 5, 4, 3, 3), undefined, { stride: 2 }));
    const loss = mul(sum(mul(second, second)), 0.01);
    minimize(loss, sgd({ momentum: 0.9 }));
    graph.output('loss', loss);
    return graph;
  }

  const feeds = (graph: Graph, number: number) => ({
    x: counted(2, 3, 8, 8),
    ...graph.feeds({ seed: 0, step: number, epoch: 1, epochs: 1, learningRate: 0.01 }),
  });

  it('keeps on the device what a step hands to the next, and nothing else', async () => {
    const before = tf.memory().numTensors;
    const graph = step();
    const session = await Session.create(graph, { backend });
    const state = State.initial(graph);
    await session.run(feeds(graph, 1), state);
    const after = tf.memory().numTensors;
    for (let number = 2; number <= 4; number++) await session.run(feeds(graph, number), state);
    expect(tf.memory().numTensors).to.equal(after);
    await session.release();
    expect(tf.memory().numTensors).to.equal(before + state.names.length);
  });

  it('frees values once they have been read for the last time', async () => {
    const graph = new Graph();
    let y = graph.input('x', 'float32', [1000]);
    for (let i = 0; i < 20; i++) y = add(y, y);
    graph.output('sum', sum(y));
    const session = await Session.create(graph, { backend });
    const { peakBytes } = await tf.profile(async () => {
      await session.run({ x: counted(1000) });
      return tf.scalar(0);
    });
    await session.release();
    expect(peakBytes).to.be.lessThan(tf.memory().numBytes + 4 * 4000);
  });

  it('has the same bits in every run', async () => {
    const graph = step();
    const bits: string[] = [];
    for (const run of [1, 2]) {
      const session = await Session.create(graph, { backend });
      const state = State.initial(graph);
      for (let number = 1; number <= 3; number++) await session.run(feeds(graph, number), state);
      await state.toHost();
      bits[run] = JSON.stringify([...state.arrays()].map(([name, { data }]) => [name, [...data].map(String)]));
      await session.release();
    }
    expect(bits[1]).to.equal(bits[2]);
  });

  it('leaves the state as it was, and no memory behind, where a node fails', async () => {
    const graph = new Graph();
    const w = graph.parameter('w', [3], () => counted(3));
    graph.update(w, add(w, 1));
    graph.output('rows', emitRows(add(w, 0), graph.input('numbers', 'int32', [1])));
    const session = await Session.create(graph, { backend });
    const state = State.initial(graph);
    const run = (number: number) => session.run({ numbers: ndarray('int32', [1], Int32Array.of(number)) }, state);
    await run(0);
    await state.toHost();
    const [before, values] = [tf.memory().numTensors, [...state.get('w').data]];
    const error: unknown = await run(7).catch((reason: unknown) => reason);
    expect(error).to.be.instanceOf(Error);
    expect(tf.memory().numTensors).to.equal(before);
    await state.toHost();
    expect([...state.get('w').data]).to.deep.equal(values);
  });

  it('brings images to the layout of convolutions once, and maps to that of the classifier', async () => {
    const graph = new Graph();
    const x = graph.input('x', 'float32', [2, 3, 8, 8]);
    const weight = (name: string, ...shape: number[]) => graph.parameter(name, shape, () => counted(...shape));
    const first = relu(conv2d(x, weight('a', 4, 3, 3, 3), weight('bias', 4), { padding: 1 }));
    const sum = add(
      conv2d(maxPool(first, { kernel: 2 }), weight('b', 4, 4, 1, 1)),
      conv2d(first, weight('c', 4, 4, 2, 2), undefined, { stride: 2 }),
    );
    graph.output('y', flatten(mul(sum, graph.constant(counted(1, 4, 1, 1)))));
    const frozen = State.initial(graph).arrays();
    const session = await Session.create(graph, { backend, frozen });
    const transposes = async () => {
      const { kernelNames, kernels } = await tf.profile(async () => {
        await session.run({ x: counted(2, 3, 8, 8) });
        return tf.scalar(0);
      });
      expect(kernelNames).to.include('Conv2D');
      return kernels.filter(({ name }) => name === 'Transpose').length;
    };
    expect(await transposes(), 'with the three kernels and the constant, at first').to.equal(2 + 4);
    expect(await transposes(), 'later').to.equal(2);
    await session.release();
  });

  it('takes batches of any size where the batch is left open', async () => {
    const graph = new Graph();
    const x = graph.input('x', 'float32', [1, 2, 4, 4]);
    const weight = graph.parameter('w', [3, 2, 3, 3], () => counted(3, 2, 3, 3));
    graph.output('y', flatten(conv2d(x, weight)));
    const frozen = State.initial(graph).arrays();
    const [ours, theirs] = await Promise.all(
      [backend, undefined].map((one) => Session.create(graph, { backend: one, frozen, dynamicBatch: true })),
    );
    for (const size of [1, 3]) {
      const [y, expected] = await Promise.all(
        [ours, theirs].map((session) => session!.run({ x: counted(size, 2, 4, 4) })),
      );
      expect(y!.y!.shape).to.deep.equal([size, 12]);
      expected!.y!.data.forEach((value, i) => expect(y!.y!.data[i]).to.be.closeTo(Number(value), 1e-5));
    }
    await Promise.all([ours!.release(), theirs!.release()]);
  });

  it('has types of its own for int64, uint8 and bool, and gives the graph its own', async () => {
    const graph = new Graph();
    const bytes = graph.input('bytes', 'uint8', [2, 2]);
    const flags = graph.input('flags', 'bool', [2]);
    graph.output('bytes', graph.emit('Identity', [bytes], [2, 2]));
    graph.output('not', graph.emit('Not', [flags], [2]));
    graph.output('numbers', graph.emit('Cast', [flags], [2], { dtype: 'float32', attributes: { to: 1 } }));
    const count = graph.buffer('count', 'int64', [], () => ndarray('int64', [], BigInt64Array.of(41n)));
    graph.update(count, graph.emit('Add', [count, graph.constant(ndarray('int64', [], BigInt64Array.of(1n)))], []));
    const session = await Session.create(graph, { backend });
    const state = State.initial(graph);
    const feeds = {
      bytes: ndarray('uint8', [2, 2], Uint8Array.of(0, 127, 128, 255)),
      flags: ndarray('bool', [2], Uint8Array.of(1, 0)),
    };
    const results = await session.run(feeds, state);
    expect(results.bytes).to.deep.equal(feeds.bytes);
    expect(results.not).to.deep.equal(ndarray('bool', [2], Uint8Array.of(0, 1)));
    expect(results.numbers).to.deep.equal(float32([2], [1, 0]));
    await state.toHost();
    expect(state.get('count')).to.deep.equal(ndarray('int64', [], BigInt64Array.of(42n)));
    await session.release();
  });

  it('agrees on what has no gradient: chosen classes, rows that are read and written', async () => {
    const graph = new Graph();
    const logits = graph.input('logits', 'float32', [4, 3]);
    const labels = graph.input('labels', 'int32', [4]);
    graph.output('correct', correct(logits, labels));
    const numbers = graph.input('numbers', 'int32', [2]);
    const memory = graph.buffer('memory', 'float32', [5, 3], () => counted(5, 3));
    const ages = graph.buffer('ages', 'int32', [5], () => ndarray('int32', [5]));
    graph.output('read', emitRows(memory, numbers));
    graph.update(memory, emitWithRows(memory, numbers, graph.input('rows', 'float32', [2, 3])));
    graph.update(ages, emitWithRows(ages, numbers, numbers));
    const feeds = {
      logits: float32([4, 3], [1, 1, 0, 0, 2, 3, -1, -2, -1, 5, 4, 5]),
      labels: ndarray('int32', [4], Int32Array.of(0, 2, 2, 0)),
      numbers: ndarray('int32', [2], Int32Array.of(4, 1)),
      rows: counted(2, 3),
    };
    const [ours, theirs] = await Promise.all(
      [backend, undefined].map(async (one) => {
        const session = await Session.create(graph, { backend: one });
        const state = State.initial(graph);
        const results = await session.run(feeds, state);
        await state.toHost();
        await session.release();
        return [results, state.arrays()];
      }),
    );
    expect(ours).to.deep.equal(theirs);
  });
});

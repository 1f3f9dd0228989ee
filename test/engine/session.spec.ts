import { expect } from 'chai';
import { Graph } from '../../engine/graph';
import { add, flatten, linear, mul, softmax, sum } from '../../engine/ops';
import { OPTIMIZER_PREFIX, sgd } from '../../engine/optimizers';
import { Session, State, type SessionOptions } from '../../engine/session';
import { bytesOf, ndarray } from '../../formats/ndarray';
import { nets } from '../../model/nets';
import { trainingGraph } from '../../model/training/step_graph';
import { Random } from '../../utils/random';
import { expectClose, float32 } from '../helpers/engine';
import { trainingOptions } from '../helpers/training';

/** total ← total + x · weight, weight ← 2 weight; `offset` is only read. `picked` is one element of the new total. */
function accumulator(): Graph {
  const graph = new Graph();
  const x = graph.input('x', 'float32', [2]);
  const index = graph.input('index', 'int32', []);
  const total = graph.buffer('total', 'float32', [2], () => float32([2], [0, 100]));
  const weight = graph.parameter('weight', [2], () => float32([2], [1, 3]));
  const offset = graph.buffer('offset', 'float32', [], () => float32([], [0.5]));
  const next = add(total, mul(x, weight));
  graph.update(total, next);
  graph.update(weight, add(weight, weight));
  graph.output('sum', sum(add(next, offset)));
  graph.output('picked', graph.emit('Gather', [next, index], []));
  return graph;
}

/** What a promise was rejected with. */
async function rejection(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    return (error as Error).message;
  }
  return expect.fail('nothing was thrown');
}

describe('Session', () => {
  const index = ndarray('int32', [], Int32Array.of(1));
  const one = { x: float32([2], [1, 1]), index };
  const contents = (state: State) =>
    Object.fromEntries([...state.arrays()].map(([name, { data }]) => [name, Array.from(data, Number)]));

  async function withAccumulator(check: (session: Session, state: State) => Promise<void>): Promise<void> {
    const graph = accumulator();
    const session = await Session.create(graph, { threads: 1 });
    try {
      await check(session, State.initial(graph));
    } finally {
      await session.release();
    }
  }

  it('carries the state from step to step and leaves alone what is not updated', () =>
    withAccumulator(async (session, state) => {
      expect(contents(state)).to.deep.equal({ total: [0, 100], weight: [1, 3], offset: [0.5] });
      const sums: number[] = [];
      for (let step = 0; step < 5; step++) sums.push(Number((await session.run(one, state)).sum!.data[0]));
      // After n steps weight is 2ⁿ w, and total has grown by (2ⁿ − 1) w.
      expect(sums).to.deep.equal([1, 3, 7, 15, 31].map((factor) => 101 + 4 * factor));
      expect(contents(state)).to.deep.equal({ total: [31, 193], weight: [32, 96], offset: [0.5] });
    }));

  it('writes new values into the memory of those before the last', () =>
    withAccumulator(async (session, state) => {
      const memory: unknown[] = [];
      for (let step = 0; step < 4; step++) {
        await session.run(one, state);
        memory.push(state.get('weight').data.buffer);
      }
      expect(memory[2]).to.equal(memory[0]).and.not.equal(memory[1]);
      expect(memory[3]).to.equal(memory[1]);
      expect(contents(state).weight).to.deep.equal([16, 48]);
    }));

  it('leaves no garbage of the size of the state', async () => {
    const graph = new Graph();
    const weight = graph.parameter('weight', [250_000], () => float32([250_000], Array<number>(250_000).fill(1)));
    graph.update(weight, add(weight, weight));
    const session = await Session.create(graph, { threads: 1 });
    const state = State.initial(graph);
    for (let step = 0; step < 2; step++) await session.run({}, state);
    const before = process.memoryUsage().arrayBuffers;
    for (let step = 0; step < 8; step++) await session.run({}, state);
    expect(process.memoryUsage().arrayBuffers - before, 'bytes, of a state of 1,000,000').to.be.below(1e6);
    expect(state.get('weight').data[0]).to.equal(2 ** 10);
    await session.release();
  });

  it('refuses a second step on a state while the first is under way', () =>
    withAccumulator(async (session, state) => {
      const first = session.run(one, state);
      expect(await rejection(session.run(one, state))).to.equal('run: another step on this state has not finished');
      await first;
      await session.run(one, state);
      expect(contents(state).weight).to.deep.equal([4, 12]);
    }));

  it('keeps two states apart', () =>
    withAccumulator(async (session, state) => {
      const other = State.initial(accumulator());
      other.set('weight', float32([2], [10, 10]));
      await session.run(one, state);
      await session.run(one, other);
      await session.run(one, state);
      expect(contents(state)).to.deep.equal({ total: [3, 109], weight: [4, 12], offset: [0.5] });
      expect(contents(other)).to.deep.equal({ total: [10, 110], weight: [20, 20], offset: [0.5] });
    }));

  it('names an input that is missing or of the wrong kind, and leaves the state as it was', () =>
    withAccumulator(async (session, state) => {
      await session.run(one, state);
      const before = contents(state);
      expect(await rejection(session.run({ index }, state))).to.equal('run: input "x" is not fed');
      expect(await rejection(session.run({ x: ndarray('int32', [2]), index }, state))).to.equal(
        'run: "x" must be float32, got int32',
      );
      expect(await rejection(session.run({ x: float32([3], [1, 1, 1]), index }, state))).to.match(/for input: x\b/);
      expect(await rejection(session.run(one))).to.equal('run: the state has no "total"');
      expect(contents(state)).to.deep.equal(before);
    }));

  it('leaves the state as it was where a step fails half-way', () =>
    withAccumulator(async (session, state) => {
      await session.run(one, state);
      const before = contents(state);
      const outside = ndarray('int32', [], Int32Array.of(7));
      expect(await rejection(session.run({ ...one, index: outside }, state))).to.contain('Gather');
      expect(contents(state)).to.deep.equal(before);
      expect([...(await session.run(one, state)).picked!.data]).to.deep.equal([109]);
      expect(contents(state)).to.deep.equal({ total: [3, 109], weight: [4, 12], offset: [0.5] });
    }));

  it('takes frozen values in place of states', async () => {
    const graph = accumulator();
    const frozen = new Map([['weight', float32([2], [10, 20])]]);
    graph.updates.delete('weight');
    const session = await Session.create(graph, { threads: 1, frozen });
    const state = new State();
    state.set('total', float32([2], [0, 0]));
    state.set('offset', float32([], [0]));
    expect([...(await session.run(one, state)).sum!.data]).to.deep.equal([30]);
    await session.release();
  });

  it('runs a graph with an open batch at any size', async () => {
    const graph = new Graph();
    const x = graph.input('x', 'float32', [1, 2, 3]);
    const weight = graph.parameter('weight', [4, 6], () =>
      float32(
        [4, 6],
        Array.from({ length: 24 }, (_, i) => i / 10),
      ),
    );
    graph.output('y', softmax(linear(flatten(x), weight)));
    const session = await Session.create(graph, { threads: 1, dynamicBatch: true });
    const state = State.initial(graph);
    const values = Float32Array.from({ length: 30 }, (_, i) => Math.sin(i));
    const all = (await session.run({ x: float32([5, 2, 3], values) }, state)).y!;
    expect(all.shape).to.deep.equal([5, 4]);
    for (let i = 0; i < 5; i++) {
      const { y } = await session.run({ x: float32([1, 2, 3], values.slice(6 * i, 6 * i + 6)) }, state);
      expectClose(y!, float32([1, 4], (all.data as Float32Array).slice(4 * i, 4 * i + 4)), 1e-6, `row ${i}`);
    }
    await session.release();
  });

  it('runs no more once it is released', async () => {
    const graph = accumulator();
    const session = await Session.create(graph, { threads: 1 });
    await session.release();
    const state = State.initial(graph);
    expect(await rejection(session.run(one, state))).to.contain('already disposed');
    expect(contents(state)).to.deep.equal({ total: [0, 100], weight: [1, 3], offset: [0.5] });
  });
});

describe('State', () => {
  it('is shared by several graphs; what more than one has begins as in the first', async () => {
    const counting = (factor: number, own: string) => {
      const graph = new Graph();
      const shared = graph.parameter('shared', [1], () => float32([1], [factor]));
      const mine = graph.buffer(own, 'float32', [1], () => float32([1], [factor]));
      graph.update(shared, mul(shared, factor));
      graph.update(mine, add(mine, 1));
      return graph;
    };
    const graphs = [counting(2, 'a'), counting(3, 'b')];
    const state = State.initial(...graphs);
    const values = () => state.names.map((name) => [name, ...state.get(name).data]);
    expect(values()).to.deep.equal([
      ['shared', 2],
      ['a', 2],
      ['b', 3],
    ]);
    expect([...state.specs]).to.deep.equal(state.names.map((name) => [name, { dtype: 'float32', shape: [1] }]));
    const sessions = await Promise.all(graphs.map((graph) => Session.create(graph, { threads: 1 })));
    for (const turn of [0, 1, 1, 0]) await sessions[turn]!.run({}, state);
    expect(values()).to.deep.equal([
      ['shared', 2 * 2 * 3 * 3 * 2],
      ['a', 4],
      ['b', 5],
    ]);
    for (const session of sessions) await session.release();
  });

  it('copies what it is given', () => {
    const state = State.initial(accumulator());
    const array = float32([2], [5, 6]);
    state.set('total', array);
    array.data[0] = 0;
    expect([...state.get('total').data]).to.deep.equal([5, 6]);
  });

  it('names what it does not have, and what does not fit', () => {
    const state = State.initial(accumulator());
    expect(state.names).to.deep.equal(['total', 'weight', 'offset']);
    expect(() => state.get('momentum')).to.throw('state: no "momentum"');
    expect(() => state.set('total', float32([3], [1, 2, 3]))).to.throw(
      'state: "total" is float32 [2], got float32 [3]',
    );
    expect(() => state.set('total', ndarray('int32', [2]))).to.throw('state: "total" is float32 [2], got int32 [2]');
  });
});

describe('training is repeatable', () => {
  const optimizer = sgd({ momentum: 0.9, weightDecay: 5e-4 });
  const model = {
    net: nets.cnn!.build,
    options: { classes: 10, numChannels: 32, dropoutRate: 0.5 },
    normalize: { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] },
    input: [3, 32, 32] as const,
  };

  /** Five steps of the CNN with dropout, at batch 8. */
  async function train(options: SessionOptions): Promise<State> {
    const graph = trainingGraph(model, trainingOptions(optimizer, 8, { seed: 1 }));
    const state = State.initial(graph);
    const session = await Session.create(graph, options);
    const random = new Random(2, 'pixels');
    for (let step = 1; step <= 5; step++) {
      const pixels = Uint8Array.from({ length: 8 * 3 * 32 * 32 }, (_, i) => random.integer(256, i, step));
      await session.run(
        {
          images: ndarray('uint8', [8, 3, 32, 32], pixels),
          labels: ndarray(
            'int32',
            [8],
            Int32Array.from({ length: 8 }, (_, i) => (i + step) % 10),
          ),
          ...graph.feeds({ seed: 1, step, epoch: 1, epochs: 1, learningRate: 0.01 }),
        },
        state,
      );
    }
    await session.release();
    return state;
  }

  it('to the last bit by another session, and closely with another number of threads', async () => {
    const [first, again, parallel] = [
      await train({ threads: 1 }),
      await train({ threads: 1 }),
      await train({ threads: 2 }),
    ];
    const parallelAgain = await train({ threads: 2 });
    for (const name of first.names) {
      const bytes = (state: State) => Buffer.from(bytesOf(state.get(name)));
      expect(bytes(first).equals(bytes(again)), name).to.equal(true);
      expect(bytes(parallel).equals(bytes(parallelAgain)), `${name}, two threads`).to.equal(true);
      // Biases before BatchNorm have no gradient but rounding errors; their momentum is made of nothing else.
      if (!name.startsWith(OPTIMIZER_PREFIX)) expectClose(parallel.get(name), first.get(name), 1e-4, name);
    }
  });
});

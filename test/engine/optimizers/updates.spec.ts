/**
 * Tests engine/optimizers/minimize.ts, clipping.ts, average.ts and accumulation.ts. Clipping, groups and averages against
 * PyTorch in float64 (test/fixtures/make_updates.py); micro-batches in closed form.
 */
import { expect } from 'chai';
import { Graph } from '../../../engine/graph';
import { add, mul, square, sub, sum } from '../../../engine/ops';
import { adam, AVERAGE_PREFIX, averageWeights, minimize, sgd } from '../../../engine/optimizers';
import type { MinimizeOptions, Optimizer } from '../../../engine/optimizers';
import { Session, State } from '../../../engine/session';
import type { MicroBatch } from '../../../engine/step_context';
import oracle from '../../fixtures/updates.json';
import { expectClose, float32 } from '../../helpers/engine';

const shapes = { p: [2, 3], q: [4] } as const;
const names = ['p', 'q'] as const;
const moment = { seed: 0, epoch: 1, epochs: 1, learningRate: oracle.rate };

/** ½ Σ a (p − c)² over both parameters. */
function quadratic(graph: Graph) {
  const terms = names.map((name) => {
    const { start, curvature, centre: center } = oracle.problem[name];
    const array = (values: readonly number[]) => float32(shapes[name], values);
    const offset = sub(
      graph.parameter(name, shapes[name], () => array(start)),
      graph.constant(array(center)),
    );
    return mul(sum(mul(square(offset), graph.constant(array(curvature)))), 0.5);
  });
  return terms.reduce(add);
}

interface Case extends MinimizeOptions {
  readonly optimizer: Optimizer;
  readonly decay?: number;
}

const momentum = sgd({ momentum: 0.9, weightDecay: 0.01 });
const slow = (factor: number) => (name: string) => (name === 'q' ? factor : 1);
const cases: Record<keyof typeof oracle.updates, Case> = {
  clip: { optimizer: momentum, clipNorm: 3 },
  group: { optimizer: adam(), rate: slow(10) },
  average: { optimizer: momentum, decay: 0.8 },
  all: { optimizer: momentum, rate: slow(0.1), clipNorm: 7, decay: 0.5 },
};

describe('updates agree with PyTorch', () => {
  for (const [name, { optimizer, decay, ...options }] of Object.entries(cases)) {
    it(name, async () => {
      const graph = new Graph();
      minimize(quadratic(graph), optimizer, undefined, options);
      if (decay !== undefined) averageWeights(graph, decay, (state) => state === 'p' || state === 'q');
      const state = State.initial(graph);
      const session = await Session.create(graph, { threads: 1 });
      const steps: { p: number[]; q: number[]; average?: { p: number[]; q: number[] } }[] =
        oracle.updates[name as keyof typeof cases];
      for (const [i, expected] of steps.entries()) {
        await session.run(graph.feeds({ ...moment, step: i + 1 }), state);
        for (const key of names) {
          expectClose(state.get(key), float32(shapes[key], expected[key]), 3e-6, `${key} after step ${i + 1}`);
          if (decay === undefined) continue;
          const average = float32(shapes[key], expected.average![key]);
          expectClose(state.get(AVERAGE_PREFIX + key), average, 3e-6, `average of ${key} after step ${i + 1}`);
        }
      }
      await session.release();
    });
  }
});

describe('averageWeights', () => {
  it('leaves out what a step does not change, and what it is not to average', () => {
    const graph = new Graph();
    const loss = quadratic(graph);
    graph.buffer('still', 'float32', [1], () => float32([1], [1]));
    minimize(loss, sgd(), undefined);
    averageWeights(graph, 0.9, (name) => name !== 'q');
    const averages = [...graph.states.keys()].filter((name) => name.startsWith(AVERAGE_PREFIX));
    expect(averages).to.deep.equal([`${AVERAGE_PREFIX}p`]);
  });

  it('keeps the very bits of a weight that stands still', async () => {
    const graph = new Graph();
    minimize(quadratic(graph), sgd());
    averageWeights(graph, 0.9, () => true);
    const state = State.initial(graph);
    const session = await Session.create(graph, { threads: 1 });
    for (let step = 1; step <= 5; step++) {
      await session.run(graph.feeds({ ...moment, step, learningRate: 0 }), state);
    }
    expect(state.get(`${AVERAGE_PREFIX}p`).data).to.deep.equal(state.get('p').data);
    await session.release();
  });
});

describe('accumulation', () => {
  it('is Σ share · g over the micro-batches since the first, and begins anew with the next', async () => {
    const build = (accumulation: 'add' | 'apply') => {
      const graph = new Graph();
      const slope = graph.input('slope', 'float32', []);
      const weight = graph.parameter('w', [2], () => float32([2], [1, -1]));
      minimize(sum(mul(weight, slope)), sgd(), undefined, { accumulation });
      return graph;
    };
    const graphs = { add: build('add'), apply: build('apply') };
    const state = State.initial(graphs.add, graphs.apply);
    const sessions = {
      add: await Session.create(graphs.add, { threads: 1 }),
      apply: await Session.create(graphs.apply, { threads: 1 }),
    };
    const run = async (slope: number, micro: MicroBatch) => {
      const kind = micro.isLast ? 'apply' : 'add';
      const fed = graphs[kind].feeds({ ...moment, step: 1, learningRate: 0.5, micro });
      await sessions[kind].run({ ...fed, slope: float32([], [slope]) }, state);
      return [...state.get('w').data].map(Number);
    };
    const micro = (share: number, isFirst: boolean, isLast: boolean) => ({ update: 1, share, isFirst, isLast });
    expect(await run(8, micro(0.5, true, false))).to.deep.equal([1, -1]);
    expect(await run(4, micro(0.25, false, false))).to.deep.equal([1, -1]);
    // 8 / 2 + 4 / 4 + 12 / 4 = 8
    expect(await run(12, micro(0.25, false, true))).to.deep.equal([-3, -5]);
    expect(await run(2, micro(0.5, true, false))).to.deep.equal([-3, -5]);
    expect(await run(2, micro(0.5, false, true))).to.deep.equal([-4, -6]);
    expect(await run(2, micro(1, true, true))).to.deep.equal([-5, -7]);
    await Promise.all(Object.values(sessions).map((session) => session.release()));
  });
});

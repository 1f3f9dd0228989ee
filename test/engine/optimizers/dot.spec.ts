/** DOT against its authors' rule in float64 (test/fixtures/make_dot.py). */
import { expect } from 'chai';
import { Graph } from '../../../engine/graph';
import { add, mul, square, sub, sum } from '../../../engine/ops';
import { dot, minimize, type MinimizeOptions, type Optimizer } from '../../../engine/optimizers';
import { Session, State } from '../../../engine/session';
import type { MicroBatch } from '../../../engine/step_context';
import type { Tensor } from '../../../engine/tensor';
import oracle from '../../fixtures/dot.json';
import { expectClose, float32 } from '../../helpers/engine';

const shapes = { p: [2, 3], q: [4], r: [3] } as const;
const names = ['p', 'q', 'r'] as const;

interface Losses {
  readonly loss: Tensor;
  readonly parts: NonNullable<MinimizeOptions['parts']>;
}

/** ½ Σ a (x − c)² of both parts, over the parameters that each has. */
function quadratics(graph: Graph): Losses {
  const parameters = names.map((name) =>
    graph.parameter(name, shapes[name], () => float32(shapes[name], oracle.start[name])),
  );
  const partOf = (terms: Partial<Record<(typeof names)[number], { curvature: number[]; centre: number[] }>>) =>
    names
      .flatMap((name, i) => {
        const term = terms[name];
        if (!term) return [];
        const array = (values: readonly number[]) => graph.constant(float32(shapes[name], values));
        return [mul(sum(mul(square(sub(parameters[i]!, array(term.centre))), array(term.curvature))), 0.5)];
      })
      .reduce(add);
  const parts = { task: partOf(oracle.terms.task), distillation: partOf(oracle.terms.distillation) };
  return { loss: add(parts.task, parts.distillation), parts };
}

/** The values after each step of the oracle; a step of micro-batches with the same losses is the same step. */
async function trained(
  optimizer: Optimizer,
  options: MinimizeOptions = {},
  micros = 1,
): Promise<Record<string, number[]>[]> {
  const build = (accumulation?: 'add' | 'apply') => {
    const graph = new Graph();
    const { loss, parts } = quadratics(graph);
    minimize(loss, optimizer, undefined, { parts, accumulation, ...options });
    return graph;
  };
  const graphs =
    micros === 1 ? [build()] : Array.from({ length: micros }, (_, i) => build(i + 1 < micros ? 'add' : 'apply'));
  const sessions = await Promise.all(graphs.map((graph) => Session.create(graph, { threads: 1 })));
  const state = State.initial(...graphs);
  const steps: Record<string, number[]>[] = [];
  for (const [i, learningRate] of oracle.rates.entries()) {
    for (const [j, graph] of graphs.entries()) {
      const micro: MicroBatch = { update: i + 1, share: 1 / micros, isFirst: j === 0, isLast: j === micros - 1 };
      const moment = { seed: 0, step: i + 1, epoch: 1, epochs: 1, learningRate, ...(micros > 1 && { micro }) };
      await sessions[j]!.run(graph.feeds(moment), state);
    }
    steps.push(Object.fromEntries(names.map((name) => [name, Array.from(state.get(name).data, Number)])));
  }
  await Promise.all(sessions.map((session) => session.release()));
  return steps;
}

function expectSteps(found: Record<string, number[]>[], expected: Record<string, number[]>[]): void {
  for (const [i, step] of expected.entries()) {
    for (const name of names) {
      const [a, b] = [found[i]![name]!, step[name]!].map((values) => float32(shapes[name], values));
      expectClose(a!, b!, 1e-5, `${name} after step ${i + 1}`);
    }
  }
}

describe('DOT', () => {
  const decayed = dot({ momentum: 0.8, weightDecay: 0.1, delta: 0.15 });

  it("agrees with its authors' rule", async () => {
    expectSteps(await trained(dot()), oracle.steps.dot);
    expectSteps(await trained(decayed), oracle.steps['dot decay']);
  });

  it('keeps the gradients of both parts over micro-batches', async () => {
    expectSteps(await trained(decayed, {}, 2), oracle.steps['dot decay']);
  });

  it('is cut by the length of the whole gradient', async () => {
    expectSteps(await trained(decayed, { clipNorm: 1e6 }), oracle.steps['dot decay']);
    const [cut] = await trained(dot({ momentum: 0.5, delta: 0 }), { clipNorm: 0.01 });
    const moves = names.flatMap((name) => cut![name]!.map((value, i) => value - oracle.start[name][i]!));
    expect(Math.hypot(...moves)).to.be.closeTo(0.01 * oracle.rates[0]!, 1e-6);
  });

  it('is SGD with momentum where it is not told of parts', async () => {
    const options = { momentum: 0.8, weightDecay: 0.1 };
    const plain = await trained(dot({ ...options, delta: 0 }));
    expectSteps(await trained(dot(options), { parts: undefined }), plain);
  });

  it('refuses momenta outside of 0 to 1', () => {
    const message = '"dot_delta" must be at most "momentum", 0.9, and leave their sum below 1, got ';
    for (const delta of [0.1, 0.95]) expect(() => dot({ delta })).to.throw(message + String(delta));
  });
});

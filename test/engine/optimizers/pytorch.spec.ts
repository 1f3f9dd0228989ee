/**
 * Tests engine/optimizers/. Update rules against PyTorch and the papers' formulas in float64
 * (test/fixtures/make_optimizers.py).
 */
import { expect } from 'chai';
import { Graph } from '../../../engine/graph';
import { add, mul, square, sub, sum } from '../../../engine/ops';
import { adabound, adam, adamw, minimize, novograd, sgd, type Optimizer } from '../../../engine/optimizers';
import { Session, State } from '../../../engine/session';
import oracle from '../../fixtures/optimizers.json';
import { expectClose, float32 } from '../../helpers/engine';

const shapes = { p: [2, 3], q: [4] } as const;
const [baseLearningRate = 0] = oracle.rates;
const narrow = { baseLearningRate, finalLearningRate: 0.3 };

const cases: Record<keyof typeof oracle.steps, Optimizer> = {
  sgd: sgd(),
  'sgd nesterov': sgd({ momentum: 0.9, nesterov: true, weightDecay: 0.1 }),
  adam: adam(),
  'adam decay': adam({ betas: [0.8, 0.95], eps: 1e-3, weightDecay: 0.1 }),
  adamw: adamw(),
  'adamw decay': adamw({ betas: [0.8, 0.95], eps: 1e-3, weightDecay: 0.5 }),
  novograd: novograd(),
  'novograd decay': novograd({ betas: [0.8, 0.5], eps: 0.1, weightDecay: 0.1 }),
  adabound: adabound({ baseLearningRate }),
  amsbound: adabound({ baseLearningRate, amsbound: true }),
  'adabound narrow': adabound({ ...narrow, gamma: 0.5, weightDecay: 0.01 }),
  'amsbound narrow': adabound({ ...narrow, gamma: 0.1, amsbound: true, betas: [0.5, 0.3] }),
};

/** ½ Σ a (p − c)² over both parameters. */
function quadratic(graph: Graph) {
  const terms = (['p', 'q'] as const).map((name) => {
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

describe('optimizers agree with PyTorch and their papers', () => {
  for (const [name, optimizer] of Object.entries(cases)) {
    it(name, async () => {
      const graph = new Graph();
      minimize(quadratic(graph), optimizer);
      const state = State.initial(graph);
      const session = await Session.create(graph, { threads: 1 });
      const steps = oracle.steps[name as keyof typeof cases];
      expect(steps).to.have.length(oracle.rates.length);
      for (const [i, learningRate] of oracle.rates.entries()) {
        await session.run(graph.feeds({ seed: 0, step: i + 1, epoch: 1, epochs: 1, learningRate }), state);
        for (const key of ['p', 'q'] as const) {
          expectClose(state.get(key), float32(shapes[key], steps[i]![key]), 3e-6, `${key} after step ${i + 1}`);
        }
      }
      await session.release();
    });
  }
});

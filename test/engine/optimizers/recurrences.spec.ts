/** Tests engine/optimizers/. Update rules over five steps on ½ Σ aᵢ (pᵢ − cᵢ)², against their recurrences in float64. */
import { expect } from 'chai';
import { Graph } from '../../../engine/graph';
import { add, mul, square, sub, sum } from '../../../engine/ops';
import { adam, minimize, sgd, type AdamOptions, type Optimizer, type SgdOptions } from '../../../engine/optimizers';
import { Session, State } from '../../../engine/session';
import { expectClose, float32 } from '../../helpers/engine';

const START = { p: [1, -2, 0.5, 3], q: [0.25, 10] };
const CURVATURE = { p: [1, 0.1, 4, 0.5], q: [2, 0.01] };
const CENTRE = { p: [0, 1, 0.5, -1], q: [0, -5] };
const RATES = [0.1, 0.1, 0.05, 0.2, 0.01];
const start = { seed: 0, epoch: 1, epochs: 1 };

type Name = keyof typeof START;
const names: Name[] = ['p', 'q'];

/** The loss of both parameters, and a buffer that no optimizer may touch. */
function quadratic(graph: Graph) {
  const terms = names.map((name) => {
    const vector = (values: readonly number[]) => float32([values.length], values);
    const parameter = graph.parameter(name, [START[name].length], () => vector(START[name]));
    const offset = sub(parameter, graph.constant(vector(CENTRE[name])));
    return mul(sum(mul(square(offset), graph.constant(vector(CURVATURE[name])))), 0.5);
  });
  graph.buffer('untouched', 'float32', [1], () => float32([1], [7]));
  return terms.reduce(add);
}

/** States by name after each step, in float64: what `step` makes of a parameter's value, its gradient and its moments. */
function recurrence(
  name: Name,
  moments: readonly string[],
  step: (value: number, grad: number, moment: number[], t: number, rate: number) => number,
): Record<string, number[]>[] {
  const values = [...START[name]];
  const kept = values.map(() => moments.map(() => 0));
  return RATES.map((rate, i) => {
    values.forEach((value, j) => {
      values[j] = step(value, CURVATURE[name][j]! * (value - CENTRE[name][j]!), kept[j]!, i + 1, rate);
    });
    const states = moments.map((moment, m) => [`optimizer.${moment}.${name}`, kept.map((of) => of[m]!)] as const);
    return Object.fromEntries([[name, [...values]], ...states]);
  });
}

function sgdRecurrence(name: Name, { momentum = 0, nesterov = false, weightDecay = 0 }: SgdOptions) {
  return recurrence(name, momentum > 0 ? ['momentum_buffer'] : [], (value, grad, moment, _, rate) => {
    const decayed = grad + weightDecay * value;
    if (momentum === 0) return value - rate * decayed;
    moment[0] = momentum * moment[0]! + decayed;
    return value - rate * (nesterov ? decayed + momentum * moment[0] : moment[0]);
  });
}

function adamRecurrence(name: Name, { betas: [b1, b2] = [0.9, 0.999], eps = 1e-8, weightDecay = 0 }: AdamOptions) {
  return recurrence(name, ['exp_avg', 'exp_avg_sq'], (value, grad, moment, t, rate) => {
    const decayed = grad + weightDecay * value;
    moment[0] = b1 * moment[0]! + (1 - b1) * decayed;
    moment[1] = b2 * moment[1]! + (1 - b2) * decayed ** 2;
    const [mean, square] = [moment[0] / (1 - b1 ** t), moment[1] / (1 - b2 ** t)];
    return value - (rate * mean) / (Math.sqrt(square) + eps);
  });
}

const sgdOptions: SgdOptions[] = [
  {},
  { weightDecay: 0.1 },
  { momentum: 0.9 },
  { momentum: 0.9, weightDecay: 5e-4 },
  { momentum: 0.8, nesterov: true },
  { momentum: 0.9, nesterov: true, weightDecay: 0.1 },
];
const adamOptions: AdamOptions[] = [
  {},
  { weightDecay: 0.1 },
  { betas: [0.5, 0.9], eps: 0.1 },
  { betas: [0.8, 0.95], eps: 1e-3, weightDecay: 0.01 },
];
const cases = [
  ...sgdOptions.map((options) => ({
    title: `sgd ${JSON.stringify(options)}`,
    optimizer: sgd(options),
    expected: names.map((name) => sgdRecurrence(name, options)),
  })),
  ...adamOptions.map((options) => ({
    title: `adam ${JSON.stringify(options)}`,
    optimizer: adam(options),
    expected: names.map((name) => adamRecurrence(name, options)),
  })),
];

describe('optimizers', () => {
  for (const { title, optimizer, expected } of cases) {
    it(title, async () => {
      const graph = new Graph();
      minimize(quadratic(graph), optimizer);
      const state = State.initial(graph);
      const session = await Session.create(graph, { threads: 1 });
      for (const [i, rate] of RATES.entries()) {
        await session.run(graph.feeds({ ...start, step: i + 1, learningRate: rate }), state);
        const after = Object.assign({}, ...expected.map((steps) => steps[i])) as Record<string, number[]>;
        expect(state.names).to.have.members([...Object.keys(after), 'untouched']);
        for (const [name, values] of Object.entries(after)) {
          expectClose(state.get(name), float32([values.length], values), 2e-6, `${name} after step ${i + 1}`);
        }
        expect([...state.get('untouched').data]).to.deep.equal([7]);
      }
      await session.release();
    });
  }

  it('feed what varies by step: the learning rate, and of Adam the corrections of both moments', () => {
    const values = (optimizer: Optimizer, step: number, learningRate: number) => {
      const graph = new Graph();
      minimize(quadratic(graph), optimizer);
      const feeds = graph.feeds({ ...start, step, learningRate });
      return Object.fromEntries(
        Object.entries(feeds).map(([name, { dtype, shape, data }]) => [name, [dtype, shape, [...data]]]),
      );
    };
    expect(values(sgd({ momentum: 0.9 }), 3, 0.125)).to.deep.equal({
      'optimizer.learningRate': ['float32', [], [0.125]],
    });
    expect(values(adam({ betas: [0.5, 0.75] }), 2, 0.75)).to.deep.equal({
      'optimizer.stepSize': ['float32', [], [1]],
      'optimizer.correction': ['float32', [], [Math.fround(1 / Math.sqrt(1 - 0.75 ** 2))]],
    });
  });

  it('name a parameter that the loss does not reach', () => {
    const graph = new Graph();
    const loss = quadratic(graph);
    graph.parameter('lost', [2], () => float32([2], [0, 0]));
    expect(() => minimize(loss, sgd())).to.throw('gradients: the loss does not depend on "lost"');
  });
});

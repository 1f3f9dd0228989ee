/** Numbers that are not finite, as a graph tells of them, and steps that are refused. */
import { expect } from 'chai';
import { extremesOf, observe, observed } from '../../../engine/analysis/extremes';
import { checksum } from '../../../engine/analysis/finite';
import { Graph } from '../../../engine/graph';
import { emitElementwise } from '../../../engine/ops/elementwise';
import { Session, State } from '../../../engine/session';
import { ndarray } from '../../../formats/ndarray';

const array = (values: readonly number[]) => ndarray('float32', [values.length], Float32Array.from(values));
const SIZE = 1000;
/** Finite values up to 1e30, of either sign. */
const finite = Array.from({ length: SIZE }, (_, i) => (i % 2 === 0 ? 1 : -1) * 10 ** ((i % 60) - 30));

describe('a graph', () => {
  let checks: Session;
  let extremes: Session;
  const graph = new Graph();
  const inputs = [graph.input('a', 'float32', [SIZE]), graph.input('b', 'float32', [])];
  const other = new Graph();
  const observedInputs = [other.input('a', 'float32', [SIZE]), other.input('b', 'float32', [])];

  before(async () => {
    graph.output('check', checksum(inputs));
    checks = await Session.create(graph, { threads: 1 });
    observe(other, 'extremes', observedInputs);
    extremes = await Session.create(other, { threads: 1 });
  });
  after(() => Promise.all([checks.release(), extremes.release()]));

  for (const bad of [NaN, Infinity, -Infinity]) {
    it(`tells ${bad} from finite values wherever it is`, async () => {
      const check = async (a: readonly number[], b: number) =>
        (await checks.run({ a: array(a), b: ndarray('float32', [], Float32Array.of(b)) })).check!.data[0];
      expect(await check(finite, 1)).to.satisfy(Number.isFinite);
      expect(await check(finite, bad)).not.to.satisfy(Number.isFinite);
      for (const at of [0, 1, 7, 8, 500, SIZE - 1]) {
        expect(await check(finite.with(at, bad), 1), `at ${at}`).not.to.satisfy(Number.isFinite);
      }
      // Infinities of both signs cancel to NaN.
      expect(await check(finite.with(3, bad).with(900, -bad), 1)).not.to.satisfy(Number.isFinite);
    });

    it(`tells how far the values beside ${bad} reach`, async () => {
      const values = finite.with(10, bad).with(999, bad);
      const b = ndarray('float32', [], Float32Array.of(-2));
      const found = observed((await extremes.run({ a: array(values), b })).extremes!, observedInputs);
      const expected = { low: Math.fround(-1e29), high: Math.fround(1e28), nonFinite: 2, size: SIZE };
      expect(found.get(observedInputs[0]!)).to.deep.equal(expected);
      expect(extremesOf(array(values))).to.deep.equal(expected);
      expect(found.get(observedInputs[1]!)).to.deep.equal({ low: -2, high: -2, nonFinite: 0, size: 1 });
    });
  }
});

describe('a session', () => {
  it('leaves the state as it was where the results are not accepted, and goes on from there', async () => {
    const graph = new Graph();
    const x = graph.buffer('x', 'float32', [2], () => array([1, 2]));
    const next = emitElementwise('Mul', x, graph.input('factor', 'float32', [2]));
    graph.update(x, next);
    graph.output('next', next);
    const session = await Session.create(graph, { threads: 1 });
    const state = State.initial(graph);
    const step = async (factor: number, accepted: boolean) => {
      const results = await session.run({ factor: array([factor, factor]) }, state, () => accepted);
      return [[...results.next!.data], [...state.get('x').data]];
    };
    expect(await step(3, false), 'the first step').to.deep.equal([
      [3, 6],
      [1, 2],
    ]);
    expect(await step(3, true)).to.deep.equal([
      [3, 6],
      [3, 6],
    ]);
    expect(await step(5, false)).to.deep.equal([
      [15, 30],
      [3, 6],
    ]);
    expect(await step(7, false)).to.deep.equal([
      [21, 42],
      [3, 6],
    ]);
    expect(await step(2, true)).to.deep.equal([
      [6, 12],
      [6, 12],
    ]);
    expect(await step(2, true)).to.deep.equal([
      [12, 24],
      [12, 24],
    ]);
    await session.release();
  });
});

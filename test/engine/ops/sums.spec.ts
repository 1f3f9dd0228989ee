/** Sums of six million values beside those in float64: means within 1e-6, variances and norms within 1e-5. */
import { expect } from 'chai';
import { gradients } from '../../../engine/autodiff';
import { Graph } from '../../../engine/graph';
import { add, batchNorm, mean, mul, norm2, sum, sumSquare } from '../../../engine/ops';
import { emitElementwise } from '../../../engine/ops/elementwise';
import { clipGradNorm } from '../../../engine/optimizers/clipping';
import { Session, State } from '../../../engine/session';
import type { Tensor } from '../../../engine/tensor';
import { ndarray, sizeOf } from '../../../formats/ndarray';
import { Random } from '../../../utils/random';

/** One value for each element of what is kept. */
type Exact = (data: Float32Array, shape: readonly number[], axes: readonly number[]) => Float64Array;

/** Σ f(x) over axes, in float64. */
const total =
  (f: (x: number) => number): Exact =>
  (data, shape, axes) => {
    const kept = shape.map((length, axis) => (axes.includes(axis) ? 1 : length));
    const sums = new Float64Array(sizeOf(kept));
    const index = shape.map(() => 0);
    for (const value of data) {
      let at = 0;
      for (let axis = 0; axis < shape.length; axis++) at = at * kept[axis]! + (axes.includes(axis) ? 0 : index[axis]!);
      sums[at]! += f(value);
      for (let axis = shape.length - 1; axis >= 0 && ++index[axis]! === shape[axis]; axis--) index[axis] = 0;
    }
    return sums;
  };

const over: Exact = (_, shape, axes) => Float64Array.of(axes.reduce((product, axis) => product * shape[axis]!, 1));

const shapes: readonly (readonly [shape: readonly number[], axes: readonly number[]])[] = [
  [[6_000_000], [0]],
  [
    [2, 3, 1000, 1000],
    [0, 1, 2, 3],
  ],
  [
    [2, 3, 1000, 1000],
    [0, 2, 3],
  ],
  [
    [2, 3, 1000, 1000],
    [2, 3],
  ],
  [[2_000_000, 3], [0]],
  [
    [6250, 3, 320],
    [0, 2],
  ],
];

describe('sums of six million values', function () {
  this.timeout(120_000);
  const normal = new Float32Array(6_000_000);
  new Random(3, 'values').fillNormal(normal, 1, 1);

  async function run(shape: readonly number[], build: (x: Tensor) => void): Promise<Record<string, Float32Array>> {
    const graph = new Graph();
    build(graph.input('x', 'float32', shape));
    const session = await Session.create(graph, { threads: 2 });
    const results = await session.run({ x: ndarray('float32', shape, normal) }, State.initial(graph));
    await session.release();
    return Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, data as Float32Array]));
  }
  function expectNear(found: Float32Array, exact: Float64Array, bound: number, what: string): void {
    expect(found.length, what).to.equal(exact.length);
    found.forEach((value, i) => expect(Math.abs(value / exact[i]! - 1), what).to.be.below(bound));
  }

  for (const [shape, axes] of shapes) {
    it(`of [${shape.join(', ')}] over [${axes.join(', ')}]`, async () => {
      const found = await run(shape, (x) => {
        const reductions = { sum, mean, sumSquare, norm2 };
        for (const [name, reduction] of Object.entries(reductions)) x.graph.output(name, reduction(x, { axes }));
      });
      const sums = total((x) => x)(normal, shape, axes);
      const squares = total((x) => x * x)(normal, shape, axes);
      const [count] = over(normal, shape, axes);
      expectNear(found.sum!, sums, 1e-6, 'sum');
      expectNear(
        found.mean!,
        sums.map((value) => value / count!),
        1e-6,
        'mean',
      );
      expectNear(found.sumSquare!, squares, 1e-5, 'sumSquare');
      expectNear(found.norm2!, squares.map(Math.sqrt), 1e-5, 'norm2');
    });
  }

  it('give BatchNorm its statistics', async () => {
    const shape = [2, 3, 1000, 1000];
    const found = await run(shape, (x) => {
      const { graph } = x;
      const state = (name: string, value: number) =>
        graph.parameter(name, [3], () => ndarray('float32', [3], new Float32Array(3).fill(value)));
      const buffer = (name: string) => graph.buffer(name, 'float32', [3], () => ndarray('float32', [3]));
      const [runningMean, runningVar] = [buffer('mean'), buffer('var')];
      batchNorm(x, { weight: state('weight', 1), bias: state('bias', 0), runningMean, runningVar }, { momentum: 1 });
      graph.output('running_mean', graph.current(runningMean));
      graph.output('running_var', graph.current(runningVar));
    });
    const means = total((x) => x)(normal, shape, [0, 2, 3]).map((value) => value / 2e6);
    const squares = total((x) => x * x)(normal, shape, [0, 2, 3]).map((value) => value / 2e6);
    expectNear(found.running_mean!, means, 1e-6, 'mean');
    const variances = squares.map((value, i) => ((value - means[i]! ** 2) * 2e6) / (2e6 - 1));
    expectNear(found.running_var!, variances, 1e-5, 'variance');
  });

  it('give a bias that is added everywhere its gradient, and a clipped gradient its length', async () => {
    const shape = [2, 3, 1000, 1000];
    const found = await run(shape, (x) => {
      const { graph } = x;
      const bias = graph.parameter('bias', [3, 1, 1], () => ndarray('float32', [3, 1, 1]));
      const [gradient] = gradients(sum(mul(add(x, bias), x)), [bias]);
      graph.output('gradient', gradient!);
      // A limit above the length leaves it; twice the values are within half of it.
      const [clipped] = clipGradNorm([x], 1);
      graph.output('length', sum(emitElementwise('Div', x, clipped!), { axes: [0, 1, 2, 3] }));
    });
    expectNear(found.gradient!, total((x) => x)(normal, shape, [0, 2, 3]), 1e-6, 'bias');
    const [squares] = total((x) => x * x)(normal, shape, [0, 1, 2, 3]);
    expectNear(found.length!, Float64Array.of(6e6 * Math.sqrt(squares!)), 1e-5, 'length');
  });
});

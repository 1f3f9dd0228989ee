/**
 * Tests engine/ops/. The gradient rule of every operator against its own forward rule. For f(x) = Σ y(x) ⊙ dy and a direction
 * v,   D(h) = (f(x + h v) − f(x − h v)) / 2h,   f′ ≈ (4 D(h/2) − D(h)) / 3   (Richardson), which must be ⟨∂f, v⟩.
 *
 * x and v are multiples of 2^-11 and 2^-4, so that x ± h v and x ± h v / 2 are exact in float32; f is summed in float64.
 * What remains is the rounding of y, about 2^-24 |y| / h = 2^-18 |y| for each element, and the fifth derivative's
 * term of order h⁴ = 2^-24. Both sides are compared relative to √Σ (∂f ⊙ v)², the size that the sum has where signs
 * are random; there they agree to 1e-4, while one wrong element of a thousand is worth 3e-2.
 */
import { expect } from 'chai';
import { gradients } from '../../../engine/autodiff';
import { Graph } from '../../../engine/graph';
import * as ops from '../../../engine/ops/index';
import { Session, State } from '../../../engine/session';
import { sizeOf, type NdArray } from '../../../formats/ndarray';
import { Random } from '../../../utils/random';
import { float32 } from '../../helpers/engine';
import { operators, type OperatorCase } from '../../helpers/operators';

const H = 2 ** -6;
const TOLERANCE = 1e-3;

/** Σ a ⊙ b in float64. */
function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += a[i]! * b[i]!;
  return total;
}

/** Nonzero multiples of 1/16 in [-1, 1]. */
function direction(name: string, size: number): Float32Array {
  const random = new Random(5, name);
  return Float32Array.from({ length: size }, (_, i) => {
    const n = random.integer(32, i) - 16;
    return (n < 0 ? n : n + 1) / 16;
  });
}

async function check(name: string, { inputs, build }: OperatorCase): Promise<void> {
  const graph = new Graph();
  const tensors = inputs.map(({ shape }, i) => graph.input(`x${i}`, 'float32', shape));
  const y = build(...tensors);
  const dy = direction(`${name}/dy`, sizeOf(y.shape));
  graph.output('y', y);
  const loss = ops.sum(ops.mul(y, graph.constant(float32(y.shape, dy))));
  gradients(loss, tensors).forEach((grad, i) => graph.output(`d${i}`, grad));
  const session = await Session.create(graph, { threads: 1 });
  const at = (arrays: readonly NdArray[]) =>
    session.run(Object.fromEntries(arrays.map((array, i) => [`x${i}`, array])), State.initial(graph));
  try {
    const exact = await at(inputs);
    for (const [i, input] of inputs.entries()) {
      const v = direction(`${name}/v${i}`, sizeOf(input.shape));
      const f = async (step: number) => {
        const values = Float32Array.from(input.data as Float32Array, (value, j) => value + step * v[j]!);
        const results = await at(inputs.map((array, j) => (j === i ? float32(input.shape, values) : array)));
        return dot(results.y!.data as Float32Array, dy);
      };
      const central = async (h: number) => ((await f(h)) - (await f(-h))) / (2 * h);
      const numeric = (4 * (await central(H / 2)) - (await central(H))) / 3;
      const grad = exact[`d${i}`]!.data as Float32Array;
      const products = Float64Array.from(grad, (value, j) => value * v[j]!);
      const scale = Math.sqrt(dot(products, products));
      expect(numeric, `input ${i}`).to.be.closeTo(dot(grad, v), TOLERANCE * scale);
    }
  } finally {
    await session.release();
  }
}

describe('gradients agree with finite differences', () => {
  it('for every operator', () => {
    expect(Object.keys(operators)).to.have.members(Object.keys(ops));
    const without = Object.entries(operators).filter(([, cases]) => Object.keys(cases).length === 0);
    expect(without.map(([name]) => name)).to.deep.equal(['oneHot', 'detach', 'reverseGradient']);
  });

  for (const [operator, cases] of Object.entries(operators)) {
    for (const [variant, one] of Object.entries(cases)) {
      const name = variant === '' ? operator : `${operator}: ${variant}`;
      it(name, () => check(name, one));
    }
  }
});

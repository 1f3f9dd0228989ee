/** Running small graphs in tests. */
import { expect } from 'chai';
import { gradients } from '../../engine/autodiff';
import { Graph } from '../../engine/graph';
import { mul, sum } from '../../engine/ops';
import { Session, State } from '../../engine/session';
import type { Tensor } from '../../engine/tensor';
import { ndarray, type NdArray } from '../../formats/ndarray';

export type Build = (...inputs: Tensor[]) => Tensor;

export interface Evaluated {
  readonly y: NdArray;
  /** Gradients of Σ y ⊙ dy with respect to each input. */
  readonly grads: readonly NdArray[];
  readonly state: State;
}

/** The value of `build` at `inputs`, and the gradients for the cotangent `dy`. */
export async function evaluate(build: Build, inputs: readonly NdArray[], dy?: NdArray): Promise<Evaluated> {
  const graph = new Graph();
  const tensors = inputs.map((array, i) => graph.parameter(`x${i}`, array.shape, () => array));
  const y = build(...tensors);
  graph.output('y', y);
  if (dy) gradients(sum(mul(y, graph.constant(dy))), tensors).forEach((grad, i) => graph.output(`d${i}`, grad));
  const state = State.initial(graph);
  const session = await Session.create(graph, { threads: 1 });
  try {
    const results = await session.run({}, state);
    return { y: results.y!, grads: dy ? tensors.map((_, i) => results[`d${i}`]!) : [], state };
  } finally {
    await session.release();
  }
}

/** Every element within `tolerance` of the largest magnitude expected. */
export function expectClose(actual: NdArray, expected: NdArray, tolerance: number, what = ''): void {
  expect([...actual.shape], `${what}: shape`).to.deep.equal([...expected.shape]);
  const [a, b] = [Array.from(actual.data, Number), Array.from(expected.data, Number)];
  const scale = b.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1e-30);
  const worst = a.reduce((at, value, i) => (Math.abs(value - b[i]!) > Math.abs(a[at]! - b[at]!) ? i : at), 0);
  if (a.length === 0) return;
  expect(a.every(Number.isFinite), `${what}: finite`).to.equal(true);
  expect(Math.abs(a[worst]! - b[worst]!) / scale, `${what}: [${worst}] is ${a[worst]}, not ${b[worst]}`).to.be.at.most(
    tolerance,
  );
}

export function float32(shape: readonly number[], values: ArrayLike<number>): NdArray<'float32'> {
  return ndarray('float32', shape, Float32Array.from(values));
}

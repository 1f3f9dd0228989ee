/** What methods that compare relations ask of vectors: their length, their products, how far they are apart. */
import type { Graph } from '../../../engine/graph';
import { add, div, matmulTransposed, mul, sqrt, sub, sumSquare } from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import { ndarray, sizeOf } from '../../../formats/ndarray';

/** Added to squared lengths, so that the zero vector has a gradient. */
export const EPSILON = 1e-12;

/** x / √(‖x‖² + ε) along the last axis: vectors of length 1; the zero vector stays. */
export function unit(x: Tensor): Tensor {
  const length = sqrt(add(sumSquare(x, { axes: [x.shape.length - 1], keepDims: true }), EPSILON));
  return mul(x, div(1, length));
}

/** xᵢ · xⱼ of the rows of x (N, D) → (N, N). */
export function gram(x: Tensor): Tensor {
  return matmulTransposed(x, x);
}

/** Σ (a − b)² / n over all n elements. */
export function meanSquaredError(a: Tensor, b: Tensor): Tensor {
  return mul(sumSquare(sub(a, b)), 1 / sizeOf(a.shape));
}

/** 1 on the diagonal of (n, n), 0 elsewhere. */
export function identity(graph: Graph, n: number): Tensor {
  const values = Float32Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0));
  return graph.constant(ndarray('float32', [n, n], values));
}

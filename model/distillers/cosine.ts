/** Similarity of vectors. */
import { add, div, mean, mul, sqrt, sub, sum } from '../../engine/ops';
import type { Tensor } from '../../engine/tensor';

/** ⟨a, b⟩ / √(|a|² |b|² + ε²) of each row of (N, F), ε = 1e-8: shape (N). It is 0 where a row is. */
export function cosine(a: Tensor, b: Tensor): Tensor {
  const dot = (x: Tensor, y: Tensor) => sum(mul(x, y), { axes: [1] });
  return div(dot(a, b), sqrt(add(mul(dot(a, a), dot(b, b)), 1e-16)));
}

/** Pearson's correlation of each row of (N, F): the cosine of the deviations from the mean. */
export function correlation(a: Tensor, b: Tensor): Tensor {
  const centered = (x: Tensor) => sub(x, mean(x, { axes: [1], keepDims: true }));
  return cosine(centered(a), centered(b));
}

/** A student alone: cross-entropy with the labels. */
import { add, div, logSoftmax, mul, neg, sum } from '../../engine/ops';
import type { Tensor } from '../../engine/tensor';
import { ndarray } from '../../formats/ndarray';
import { crossEntropy } from '../nets/cross_entropy';
import type { Distiller } from './distiller';

/**
 * As PyTorch's with class weights w and label smoothing ε, which spreads that share of a target over all classes:
 *   −Σ_nc w_c t'_nc ln softmax(z_n)_c / Σ_nc w_c t_nc   with t' = (1 − ε) t + ε / C
 */
export function weightedCrossEntropy(
  logits: Tensor,
  targets: Tensor,
  { weights, smoothing = 0 }: { weights?: readonly number[] | undefined; smoothing?: number | undefined },
): Tensor {
  const { graph } = logits;
  const classes = logits.shape[1]!;
  const smooth = smoothing === 0 ? targets : add(mul(targets, 1 - smoothing), smoothing / classes);
  if (!weights) return crossEntropy(logits, smooth);
  const perClass = graph.constant(ndarray('float32', [1, classes], Float32Array.from(weights)));
  return neg(div(sum(mul(logSoftmax(logits), mul(smooth, perClass))), sum(mul(targets, perClass))));
}

export const nokd: Distiller = {
  title: 'Cross-entropy with the labels alone',
  options: {},
  needsTeacher: false,
  losses: () => ({}),
};

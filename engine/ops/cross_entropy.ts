/** Cross-entropy of logits with targets, as the mean over examples. */
import { ndarray } from '../../formats/ndarray';
import type { Tensor } from '../tensor';
import { add, div, mul, neg } from './elementwise';
import { mean, sum } from './reduce';
import { logSoftmax } from './softmax';

/** CE = −mean_n Σ_c t_nc · ln softmax(z_n)_c  for logits z (N, C) and targets t (N, C), one-hot for a label. */
export function crossEntropy(logits: Tensor, targets: Tensor): Tensor {
  return neg(mean(sum(mul(logSoftmax(logits), targets), { axes: [1] })));
}

/** What PyTorch's cross_entropy calls `weight` and `label_smoothing`. */
export interface CrossEntropyOptions {
  /** One factor for each class; 1 for all by default. */
  readonly weights?: readonly number[] | undefined;
  /** Share of each target that is spread evenly over all classes, from 0 to 1; 0 by default. */
  readonly smoothing?: number | undefined;
}

/**
 * As PyTorch's with class weights w and label smoothing ε, which spreads that share of a target over all classes:
 *   −Σ_nc w_c t'_nc ln softmax(z_n)_c / Σ_nc w_c t_nc   with t' = (1 − ε) t + ε / C
 */
export function weightedCrossEntropy(
  logits: Tensor,
  targets: Tensor,
  { weights, smoothing = 0 }: CrossEntropyOptions,
): Tensor {
  const { graph } = logits;
  const classes = logits.shape[1]!;
  const smooth = smoothing === 0 ? targets : add(mul(targets, 1 - smoothing), smoothing / classes);
  if (!weights) return crossEntropy(logits, smooth);
  const perClass = graph.constant(ndarray('float32', [1, classes], Float32Array.from(weights)));
  return neg(div(sum(mul(logSoftmax(logits), mul(smooth, perClass))), sum(mul(targets, perClass))));
}

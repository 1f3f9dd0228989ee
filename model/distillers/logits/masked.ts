/** Probabilities of some classes among themselves, as methods that take soft targets apart compare them. */
import { div, logSoftmax, mul, sub, sum } from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';

/** Subtracted from the logits that are left out, so that a softmax over all classes is one over the others. */
const MASKED = 1000;

/** ln of the softmax over the classes where `mask` (N, C) is 0, of logits (N, C); about −1000 where it is 1. */
export function logSoftmaxWithout(logits: Tensor, mask: Tensor): Tensor {
  return logSoftmax(sub(logits, mul(mask, MASKED)));
}

/**
 * For one class y of each example, given as `mask` (N, C): ln p_y and ln(1 − p_y), (N), and ln p̂ (N, C) of the other classes
 * among themselves, which is about −1000 at y. Every c ≠ y has p_c = (1 − p_y) p̂_c, which gives the second without the
 * logarithm of a small difference.
 */
export function logProbabilities(logits: Tensor, mask: Tensor): { own: Tensor; rest: Tensor; others: Tensor } {
  const all = logSoftmax(logits);
  const others = logSoftmaxWithout(logits, mask);
  const byExample = { axes: [1] };
  return {
    own: sum(mul(all, mask), byExample),
    rest: div(sum(mul(sub(all, others), sub(1, mask)), byExample), logits.shape[1]! - 1),
    others,
  };
}

/** Corrects the logits of a teacher that is wrong. */
import { add, max, mul, oneHot, sub, sum } from '../../../engine/ops/index';
import { argmax } from '../../../engine/ops/softmax';
import type { Tensor } from '../../../engine/tensor';

const ROW = { axes: [1], keepDims: true };

/**
 * Logits (N, C) in which the largest of a row and that of its true class, one-hot in `mask`, have changed places: Limantoro,
 * Lin, Wang, Tsai, Shih, Shuai & Cheng 2025, "Swapped logit distillation via bi-level teacher alignment"; on probabilities
 * Wen, Lai & Qian 2019, "Preparing lessons: improve knowledge distillation with better supervision".
 */
export function swapped(logits: Tensor, mask: Tensor): Tensor {
  const surplus = sub(max(logits, ROW), sum(mul(logits, mask), ROW));
  return add(logits, mul(surplus, sub(mask, oneHot(argmax(logits), logits.shape[1]!))));
}

/** Universal self-distillation (Yang, Zeng, Li, Zhang, Yuan & Li 2023, ICCV, "From knowledge distillation to self-knowledge distillation"). */
import { indicator } from '../../../engine/ops/activation';
import { add, detach, div, exp, globalAvgPool, logSoftmax, mean, mul, neg, oneHot } from '../../../engine/ops/index';
import { reshape, softmax, square, sub, sum } from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import { UserError } from '../../../utils/errors';
import type { FeatureMaps } from '../../nets/feature_maps';
import type { Distiller } from '../distiller';
import { logSoftmaxWithout } from '../logits/masked';
import { stages } from '../pairs';

const ROW = { axes: [1], keepDims: true };

/** −mean_n s_n ln q_y with s = q_y² + 1 − mean_n q_y², a constant: sure examples count more. y is one-hot in `mask` (N, C). */
function softTargetLoss(logits: Tensor, mask: Tensor): Tensor {
  const own = sum(mul(logSoftmax(logits), mask), { axes: [1] });
  const squares = square(exp(own));
  return neg(mean(mul(detach(sub(add(squares, 1), mean(squares))), own)));
}

/** Zipf's law by row of scores (N, C): 1 / k for the k-th largest, without the class in `mask`, at sum 1. No gradient. */
function zipf(scores: Tensor, mask: Tensor): Tensor {
  const [batch = 1, classes = 1] = scores.shape;
  const differences = sub(reshape(scores, [batch, 1, classes]), reshape(scores, [batch, classes, 1]));
  const above = sum(indicator('Greater', differences, 0), { axes: [2] });
  const shares = mul(div(1, add(above, 1)), sub(1, mask));
  return div(shares, sum(shares, ROW));
}

/** p / (1 − p_y + 1e-6) of each row (N, C). */
function relative(p: Tensor, mask: Tensor): Tensor {
  return div(p, sub(1 + 1e-6, sum(mul(p, mask), ROW)));
}

/** The output of a network's last stage but one. */
function middle(student: FeatureMaps): string {
  const { names } = student;
  const found = stages(student).at(-2) ?? stages(student).at(-1);
  if (found === undefined) throw new UserError(`"layer" is needed: the student has no stages, but ${names.join(', ')}`);
  return found;
}

export interface UskdOptions {
  readonly alpha: number;
  readonly beta: number;
  readonly mu: number;
  readonly layer?: string;
  readonly variant?: 'code';
}

/**
 * CE + α · target + β · others + μ · weak:
 *   target = −mean s ln q_y                        see `softTargetLoss`
 *   weak   = CE(w, labels smoothed by 0.1)         of w, a linear layer on the mean of a map in the middle
 *   others = −mean Σ_{c≠y} zipf_c ln q̂_c           the classes other than y, in the order of p_w / (1 − p_w,y) + q / (1 − q_y)
 * Defaults are the authors' for ImageNet (yzd-v/cls_KD); for CIFAR-100 α, β and μ are 0.1. Their code has ln q in place of q in
 * the order, by a variable that was overwritten: variant "code".
 */
export const uskd: Distiller<UskdOptions> = {
  title: 'Without a teacher: soft labels from the student, ranked by a weak head as well (Yang et al. 2023, ICCV)',
  options: {
    alpha: { type: 'number', minimum: 0, default: 1, title: 'weight of the true class' },
    beta: { type: 'number', minimum: 0, default: 0.1, title: 'weight of the other classes' },
    mu: { type: 'number', minimum: 0, default: 0.005, title: 'weight of the weak head' },
    layer: {
      type: 'string',
      title: 'output of the student for the weak head; that of its last stage but one by default',
    },
    variant: { enum: ['code'], title: '"code": classes are ordered by ln q in place of q' },
  },
  needsTeacher: false,
  losses: ({ student, labels, layers, classes, options }) => {
    const { alpha, beta, mu, layer = middle(student), variant } = options;
    const { logits } = student;
    const mask = oneHot(labels, classes);
    const map = student.get(layer);
    const weak = layers.linear('weak', map.shape.length === 4 ? globalAvgPool(map) : map, classes);
    const own = variant === 'code' ? logSoftmax(logits) : softmax(logits);
    const order = zipf(add(relative(softmax(weak), mask), relative(own, mask)), mask);
    const byExample = (values: Tensor) => neg(mean(sum(values, { axes: [1] })));
    return {
      target: mul(softTargetLoss(logits, mask), alpha),
      others: mul(byExample(mul(order, logSoftmaxWithout(logits, mask))), beta),
      weak: mul(byExample(mul(add(mul(mask, 0.9), 0.1 / classes), logSoftmax(weak))), mu),
    };
  },
};

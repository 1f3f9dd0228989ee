/** Scale-decoupled distillation (Wei, Luo & Luo 2024, CVPR, "Scale decoupled distillation"). */
import {
  abs,
  adaptiveAvgPool,
  add,
  concat,
  mul,
  oneHot,
  reshape,
  sub,
  sum,
  transpose,
} from '../../../engine/ops/index';
import { argmax } from '../../../engine/ops/softmax';
import type { Tensor } from '../../../engine/tensor';
import { UserError } from '../../../utils/errors';
import type { Head } from '../../nets/heads';
import type { Distiller } from '../distiller';
import { kdLoss } from './kd';

/** Logits (N · M, classes) of the M = Σ k² regions of a map (N, C, H, W): the classifier on the mean of each of k × k parts. */
function regionLogits({ map, classify }: Head, scales: readonly number[]): Tensor {
  const [batch = 1, channels = 1, height = 1, width = 1] = map.shape;
  const finest = Math.max(...scales);
  if (finest > Math.min(height, width)) {
    throw new UserError(
      `sdd: "scales" must be at most ${Math.min(height, width)}, the side of the last map, got ${finest}`,
    );
  }
  const vectors = scales.map((k) => {
    const means = reshape(adaptiveAvgPool(map, k), [batch, channels, k * k]);
    return transpose(means, [0, 2, 1]);
  });
  const all = concat(vectors, 1);
  return classify(reshape(all, [batch * all.shape[1]!, channels]));
}

/**
 * Of each region of each example, (N · M, 1): `weight` where the teacher is right about the region and wrong about the
 * image or the other way round, 1 elsewhere; y is one-hot in `mask` (N, C).
 */
function complementary(regions: Tensor, whole: Tensor, mask: Tensor, weight: number): Tensor {
  const [batch = 1, classes = 1] = mask.shape;
  const shape = [batch, regions.shape[0]! / batch, classes];
  const right = (logits: Tensor, rows: readonly number[]) =>
    sum(mul(reshape(oneHot(argmax(logits), classes), rows), reshape(mask, [batch, 1, classes])), { axes: [2] });
  const differs = abs(sub(right(regions, shape), right(whole, [batch, 1, classes])));
  return reshape(add(mul(differs, weight - 1), 1), [regions.shape[0]!, 1]);
}

export interface SddOptions {
  readonly scales: readonly number[];
  readonly weight: number;
}

/**
 * (1 − α) · CE + α · mean over examples and regions of w · T² · KL, on the logits that either classifier gives for the mean of
 * a region of the last map: of the whole, its quarters and its sixteenths. As in the authors' code (shicaiwei123/SDD-CVPR2024,
 * sdd_kd_loss) the whole image is one of 21 regions, and there is no further term for it.
 */
export const sdd: Distiller<SddOptions> = {
  title: 'Scales: soft targets for regions of the last map, complementary ones counting twice (Wei et al. 2024, CVPR)',
  options: {
    scales: {
      type: 'array',
      minItems: 1,
      items: { type: 'integer', minimum: 1, description: 'a positive integer' },
      default: [1, 2, 4],
      description: 'a list of positive integers',
      title: 'divisions per side of the map; 1 is the whole map',
    },
    weight: {
      type: 'number',
      minimum: 0,
      default: 2,
      title: 'weight of regions where the teacher is right but wrong about the image, or vice versa',
    },
  },
  needsTeacher: true,
  includesCrossEntropy: true,
  losses: (setting) => {
    const { student, teacher, labels, classes, crossEntropy, alpha, temperature, klReduction, options } = setting;
    const t = regionLogits(setting.teacherHead, options.scales);
    const s = regionLogits(setting.studentHead, options.scales);
    const weights = complementary(t, teacher.logits, oneHot(labels, classes), options.weight);
    return {
      ce: mul(crossEntropy(student.logits), 1 - alpha),
      kd: mul(kdLoss(s, t, temperature, klReduction, weights), alpha),
    };
  },
};

/** Class attention transfer (Guo et al. 2023, CVPR, "Class attention transfer based knowledge distillation"). */
import { adaptiveAvgPool, mul, reshape, transpose } from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import type { Head } from '../../nets/heads';
import type { Distiller } from '../distiller';
import { meanSquaredError, unit } from '../relations/vectors';

interface CatkdOptions {
  readonly weight: number;
  readonly size: number;
  readonly normalize: boolean;
}

/** What each place of the last map says for each class, averaged to size × size places: (N, classes, size²). */
function classActivations({ map, activations }: Head, size: number): Tensor {
  const [batch = 1, channels = 1] = map.shape;
  const places = transpose(adaptiveAvgPool(map, size), [0, 2, 3, 1]);
  const scores = activations(reshape(places, [batch * size * size, channels]));
  return transpose(reshape(scores, [batch, size * size, scores.shape[1]!]), [0, 2, 1]);
}

/**
 * β · mean (a_s − a_t)² with a the class activation map W f of an image, without the classifier's bias, on few places; of length
 * 1 for each class where `normalize` says so. The authors (GzyAftermath/CAT-KD) make the classifier a 1×1 convolution before
 * the mean, which comes to the same. Without normalization their β is 0.7 to 15 on CIFAR-100, by pair of nets.
 */
export const catkd: Distiller<CatkdOptions> = {
  title: 'Class activation maps: β · mean (a_s − a_t)², a = W f on few places (Guo et al. 2023, CVPR)',
  options: {
    weight: { type: 'number', minimum: 0, default: 400, title: 'β, weight of this loss' },
    size: { type: 'integer', minimum: 1, default: 2, title: 'side of the maps after averaging' },
    normalize: { type: 'boolean', default: true, title: 'whether the map of each class has length 1' },
  },
  needsTeacher: true,
  losses: ({ studentHead, teacherHead, options: { weight, size, normalize } }) => {
    const [mine, theirs] = [studentHead, teacherHead]
      .map((head) => classActivations(head, size))
      .map((maps) => (normalize ? unit(maps) : maps));
    return { catkd: mul(meanSquaredError(mine!, theirs!), weight) };
  },
};

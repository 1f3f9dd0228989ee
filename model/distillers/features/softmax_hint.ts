/** Distillation on the softmax of a hidden layer (after Hinton, Vinyals & Dean 2015, whose layer is the last). */
import { add, logSoftmax, mul, softmax, sub, sum } from '../../../engine/ops/index';
import type { Tensor } from '../../../engine/tensor';
import type { Distiller } from '../distiller';
import { layerOptions, layerPairs, requireSameShape, type LayerOptions } from '../pairs';

/**
 * Σ p_t (ln p_t − ln p_s) / N with p the softmax over the units of activations (N, F), or over the channels at every
 * place of maps (N, C, H, W). There is no temperature.
 */
export function softmaxHintLoss(student: Tensor, teacher: Tensor): Tensor {
  const logRatio = sub(logSoftmax(teacher, 1), logSoftmax(student, 1));
  return mul(sum(mul(softmax(teacher, 1), logRatio)), 1 / student.shape[0]!);
}

/** α · CE + (1 − α) · Σ_layers KL. HERE ALPHA WEIGHTS THE HARD TERM, unlike in kd. */
export const softmaxHint: Distiller<LayerOptions> = {
  title: 'Softmax of hidden layers: α · CE + (1 − α) · KL; ALPHA WEIGHTS THE LABELS, unlike in kd (Hinton et al. 2015)',
  options: {
    layers: {
      ...layerOptions.layers,
      default: [['pooled', 'pooled']],
      title: 'outputs of student and teacher whose softmax to compare; "logits" for the last layer',
    },
  },
  needsTeacher: true,
  includesCrossEntropy: true,
  losses: (setting) => {
    const { student, crossEntropy, alpha } = setting;
    const divergences = layerPairs(setting).map((pair) => {
      requireSameShape(pair, 'softmax_hint', 'choose others, such as "layers": [["logits", "logits"]]');
      return softmaxHintLoss(...pair);
    });
    return {
      ce: mul(crossEntropy(student.logits), alpha),
      hint: mul(divergences.reduce(add), 1 - alpha),
    };
  },
};

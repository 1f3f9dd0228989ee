/** Softmax regression (Yang, Martinez, Bulat & Tzimiropoulos 2021, ICLR, "Knowledge distillation via softmax regression representation learning"). */
import { globalAvgPool, mul, relu, reshape } from '../../../engine/ops/index';
import type { Distiller } from '../distiller';
import { meanSquaredError } from '../relations/vectors';
import { connector } from './connector';

export interface SrrlOptions {
  readonly feature_weight: number;
  readonly weight: number;
  readonly variant?: 'pooled';
}

/**
 * CE + α · mean (h − f_t)² + β · mean (W_t h − z_t)², with h the mean over places of ReLU(BatchNorm(conv 1×1(f_s))), f_s the
 * student's last map, f_t the vector that the teacher's classifier W_t sees, which is frozen and asked about h too. As in the
 * authors' code (jingyang2017/KD_SRRL); in that of Chen et al. (2022) h is of the student's averaged vector: "pooled".
 */
export const srrl: Distiller<SrrlOptions> = {
  title:
    "Features by the teacher's classifier: CE + α · mean (h − f_t)² + β · mean (W_t h − z_t)² (Yang et al. 2021, ICLR)",
  options: {
    feature_weight: { type: 'number', minimum: 0, default: 1, title: 'α, weight of the features' },
    weight: { type: 'number', minimum: 0, default: 1, title: 'β, weight of this loss' },
    variant: { enum: ['pooled'], title: '"pooled": connected after the mean, as in the code of SimKD and CTKD' },
  },
  needsTeacher: true,
  losses: (setting) => {
    const { student, teacher, layers, options } = setting;
    const { classify } = setting.teacherHead;
    const [batch = 1, width = 1] = teacher.pooled.shape;
    const { pooled } = student;
    const map = options.variant ? reshape(pooled, [batch, pooled.shape[1]!, 1, 1]) : setting.studentHead.map;
    const h = globalAvgPool(relu(connector(layers, 'connector', map, width)));
    return {
      feature: mul(meanSquaredError(h, teacher.pooled), options.feature_weight),
      regression: mul(meanSquaredError(classify(h), teacher.logits), options.weight),
    };
  },
};

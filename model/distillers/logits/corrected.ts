/** Corrects the logits of a teacher that is wrong, or disturbs them. */
import { add, max, mul, oneHot, sub, sum } from '../../../engine/ops/index';
import { argmax } from '../../../engine/ops/softmax';
import type { Tensor } from '../../../engine/tensor';
import { ndarray, sizeOf } from '../../../formats/ndarray';
import { Random } from '../../../utils/random';

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

/** What the true class gets where targets are smoothed, as in KD_Lib. */
const TRUE_CLASS = 0.9;

/**
 * Logits (N, C), of which the rows that are wrong have become T · ln q, so that softmax(z / T) is q: 0.9 for the true class, one-hot
 * in `mask`, and the rest in equal shares for the others (Wen, Lai & Qian 2019, as above).
 */
export function smoothed(logits: Tensor, mask: Tensor, temperature: number): Tensor {
  const classes = logits.shape[1]!;
  const other = temperature * Math.log((1 - TRUE_CLASS) / (classes - 1));
  const smooth = add(mul(mask, temperature * Math.log(TRUE_CLASS) - other), other);
  const isRight = sum(mul(oneHot(argmax(logits), classes), mask), ROW);
  return add(mul(logits, isRight), mul(smooth, sub(1, isRight)));
}

export interface Noise {
  readonly fraction: number;
  readonly variance: number;
}

/**
 * z · (1 + ξ) for a fraction of the rows, drawn anew at every step, ξ ~ N(0, σ²) for each logit: Sau & Balasubramanian 2016, "Deep
 * model compression: distilling knowledge from noisy teachers".
 */
export function noisy(logits: Tensor, { fraction, variance }: Noise): Tensor {
  const { shape, graph } = logits;
  const [batch = 1, classes = 1] = shape;
  const factor = graph.hostInput('distiller.kd.noise', 'float32', shape, ({ seed, step }) => {
    const data = new Float32Array(sizeOf(shape));
    new Random(seed, 'distiller.kd.noise').fillNormal(data, 1, Math.sqrt(variance), step);
    const random = new Random(seed, 'distiller.kd.noisy');
    for (let n = 0; n < batch; n++) {
      if (random.uniform(n, step) >= fraction) data.fill(1, n * classes, (n + 1) * classes);
    }
    return ndarray('float32', shape, data);
  });
  return mul(logits, factor);
}

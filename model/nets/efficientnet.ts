/**
 * EfficientNet, named as in timm: inverted residual blocks, 1×1 to 1,280 channels at the end. Parameters for 10 classes:
 *   b0    – Tan & Le 2019, "EfficientNet: rethinking model scaling"; SiLU and weighed channels; 4,020,358
 *   lite0 – the same with ReLU6 and without weighing, for devices that quantise; 3,383,818
 * The stem has stride 2, on images of up to 64×64 stride 1. Features: `stem`, `head`, and in between `stage1` … `stage5`, the last
 * map of each size; no activation follows these, so their `.preact` is the same.
 */
import { constant, uniform } from '../../engine/initializers';
import { globalAvgPool, relu6, sigmoid, silu } from '../../engine/ops';
import { heFanOut } from './initial';
import { invertedResiduals, pointwise, type Activation, type BlockPlan, type Squeeze } from './inverted_residual';
import type { Net } from './net';
import { keepFeature, type Features } from './residual';
import { bySize } from './stem';

/** Count, kernel, stride, expansion and width of the blocks of each stage. */
const stages = [
  [1, 3, 1, 1, 16],
  [2, 3, 2, 6, 24],
  [2, 5, 2, 6, 40],
  [3, 3, 2, 6, 80],
  [3, 5, 1, 6, 112],
  [4, 5, 2, 6, 192],
  [1, 3, 1, 6, 320],
] as const;

const HEAD = 1280;

/** A quarter of the input's channels. */
const quarter: Squeeze = { channels: (input) => Math.round(input / 4), activation: silu, gate: sigmoid };

export const efficientnetB0 = efficientnet(silu, quarter);
export const efficientnetLite0 = efficientnet(relu6);

function efficientnet(activation: Activation, squeeze?: Squeeze): Net {
  const plans = stages.map(([count, kernel, stride, expansion, width]): BlockPlan[] => [
    { count, kernel, stride, expansion, width, activation, squeeze },
  ]);
  return (layers, x, { classes, dropoutRate, dropPathRate = 0, stemStride }) => {
    const features: Features = {};
    const stride = stemStride ?? bySize(x, { small: 1, usual: 2 });
    const stem = layers.batchNorm(
      'bn1',
      layers.conv('conv_stem', x, 32, { kernel: 3, stride, padding: 1, init: heFanOut }),
    );
    let y = keepFeature(features, 'stem', stem, activation(stem));
    y = invertedResiduals(layers, y, plans, { features, dropPathRate });
    const head = layers.batchNorm('bn2', pointwise(layers, 'conv_head', y, HEAD));
    const vector = globalAvgPool(keepFeature(features, 'head', head, activation(head)));
    const pooled = layers.dropout('drop', vector, dropoutRate);
    const init = { weight: uniform(1 / Math.sqrt(classes)), bias: constant(0) };
    return { logits: layers.linear('classifier', pooled, classes, init), pooled, features };
  };
}

/**
 * MobileNetV3 (Howard et al. 2019, "Searching for MobileNetV3"), named as in timm: inverted residual blocks, whose 1×1
 * convolution at the end runs after the mean. Parameters for 10 classes: 1,528,106 (small), 4,214,842 (large). The large one
 * weighs no channels in its fourth stage, as the paper and timm have it.
 * The stem has stride 2, on images of up to 64×64 stride 1. Features: `stem`, `head`, and in between `stage1` …, the last map of
 * each size; no activation follows these, so their `.preact` is the same.
 */
import { constant, uniform } from '../../engine/initializers';
import { globalAvgPool, hardSigmoid, hardSwish, relu, reshape } from '../../engine/ops';
import { heFanOut } from './initial';
import { dividedBy8, invertedResiduals, pointwise, type BlockPlan, type Squeeze } from './inverted_residual';
import type { Net } from './net';
import { keepFeature, type Features } from './residual';
import { bySize } from './stem';

/** A quarter of the channels inside, as a multiple of 8. */
const squeeze: Squeeze = { channels: (_, inner) => dividedBy8(inner / 4), activation: relu, gate: hardSigmoid };

interface Plan {
  readonly stages: readonly (readonly BlockPlan[])[];
  /** Channels of the last map, and of the vector that the classifier sees. */
  readonly head: readonly [map: number, vector: number];
}

function blocks(
  [count, kernel, stride, expansion, width]: readonly [number, number, number, number, number],
  { activation = hardSwish, weighs = true } = {},
): BlockPlan {
  return { count, kernel, stride, expansion, width, activation, ...(weighs && { squeeze }) };
}

const plain = { weighs: false };
const early = { activation: relu, weighs: false };

export const mobilenetv3Small = mobilenetv3({
  stages: [
    [blocks([1, 3, 2, 1, 16], { activation: relu })],
    [blocks([1, 3, 2, 4.5, 24], early), blocks([1, 3, 1, 3.67, 24], early)],
    [blocks([1, 5, 2, 4, 40]), blocks([2, 5, 1, 6, 40])],
    [blocks([2, 5, 1, 3, 48])],
    [blocks([3, 5, 2, 6, 96])],
  ],
  head: [576, 1024],
});

export const mobilenetv3Large = mobilenetv3({
  stages: [
    [blocks([1, 3, 1, 1, 16], early)],
    [blocks([1, 3, 2, 4, 24], early), blocks([1, 3, 1, 3, 24], early)],
    [blocks([3, 5, 2, 3, 40], { activation: relu })],
    [blocks([1, 3, 2, 6, 80], plain), blocks([1, 3, 1, 2.5, 80], plain), blocks([2, 3, 1, 2.3, 80], plain)],
    [blocks([2, 3, 1, 6, 112])],
    [blocks([3, 5, 2, 6, 160])],
  ],
  head: [960, 1280],
});

function mobilenetv3({ stages, head: [width, units] }: Plan): Net {
  return (layers, x, { classes, dropoutRate, dropPathRate = 0, stemStride }) => {
    const features: Features = {};
    const stride = stemStride ?? bySize(x, { small: 1, usual: 2 });
    const stem = layers.batchNorm(
      'bn1',
      layers.conv('conv_stem', x, 16, { kernel: 3, stride, padding: 1, init: heFanOut }),
    );
    let y = keepFeature(features, 'stem', stem, hardSwish(stem));
    y = invertedResiduals(layers, y, stages, { features, dropPathRate, others: 1 });
    const last = `blocks.${stages.length}.0`;
    const map = layers.batchNorm(`${last}.bn1`, pointwise(layers, `${last}.conv`, y, width));
    const mean = reshape(globalAvgPool(keepFeature(features, 'head', map, hardSwish(map))), [x.shape[0]!, width, 1, 1]);
    const vector = layers.conv('conv_head', mean, units, { kernel: 1, bias: constant(0), init: heFanOut });
    const pooled = layers.dropout('drop', hardSwish(reshape(vector, [x.shape[0]!, units])), dropoutRate);
    const init = { weight: uniform(1 / Math.sqrt(classes)), bias: constant(0) };
    return { logits: layers.linear('classifier', pooled, classes, init), pooled, features };
  };
}

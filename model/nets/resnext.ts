/**
 * ResNeXt for 32×32 images (Xie et al. 2017, "Aggregated residual transformations for deep neural networks"):
 * bottlenecks whose 3×3 convolution runs in groups. Features: `stem`, `stage1`, … after ReLU, `.preact` before.
 */
import { constant } from '../../engine/initializers';
import { add, globalAvgPool, relu } from '../../engine/ops';
import { heFanIn, heFanOut, initialized } from './initial';
import type { Net } from './net';
import { conv, forEachBlock, keepsShape, reluFeature, type Block, type Features } from './residual';

/** ResNeXt of depth 9n + 2 with `groups` groups of 64 channels in the first stage. */
export function resnext(depth: number, groups: number): Net {
  const blocks = (depth - 2) / 9;
  const stages = { widths: [256, 512, 1024], blocks: [blocks, blocks, blocks] };
  const build = bottleneck(groups);
  return initialized(heFanOut, (layers, x, { classes }) => {
    const features: Features = {};
    let y = reluFeature(features, 'stem', layers.batchNorm('bn_1', conv(layers, 'conv_1_3x3', x, 64, 3)));
    forEachBlock(stages, ({ stage, block, isLast, width, stride }) => {
      const sum = build(layers, `stage_${stage}.stage_${stage}_bottleneck_${block}`, y, width, stride);
      y = isLast ? reluFeature(features, `stage${stage}`, sum) : relu(sum);
    });
    const pooled = globalAvgPool(y);
    const logits = layers.linear('classifier', pooled, classes, { weight: heFanIn, bias: constant(0) });
    return { logits, pooled, features };
  });
}

/** 1×1 to a quarter of the width for each group, 3×3 in groups, 1×1 to the width. */
function bottleneck(groups: number): Block {
  return (layers, name, x, width, stride) => {
    const inner = (groups * width) / 4;
    let y = relu(layers.batchNorm(`${name}.bn_reduce`, conv(layers, `${name}.conv_reduce`, x, inner, 1)));
    y = layers.conv(`${name}.conv_conv`, y, inner, { kernel: 3, stride, padding: 1, groups });
    y = relu(layers.batchNorm(`${name}.bn`, y));
    y = layers.batchNorm(`${name}.bn_expand`, conv(layers, `${name}.conv_expand`, y, width, 1));
    if (keepsShape(x, width, stride)) return add(x, y);
    const shortcut = conv(layers, `${name}.shortcut.shortcut_conv`, x, width, 1, stride);
    return add(layers.batchNorm(`${name}.shortcut.shortcut_bn`, shortcut), y);
  };
}

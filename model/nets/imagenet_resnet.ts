/**
 * ResNets for photographs of about 224×224 (He et al. 2016), named as in torchvision: 7×7 stem of stride 2, max-pooling,
 * bottlenecks with the stride in their 3×3 convolution. Features: `stem` (before pooling), `stage1`, … after ReLU,
 * `.preact` before.
 */
import { globalAvgPool, maxPool } from '../../engine/ops';
import { heFanOut, initialized } from './initial';
import type { Net } from './net';
import {
  basicBlock,
  bottleneckBlock,
  postActivationStages,
  projection,
  reluFeature,
  stagesOfFour,
  stagesOfThree,
  type Block,
  type Features,
  type Stages,
} from './residual';

const shortcut = projection('downsample');

/** Of depth 10, 18, 34 (basic blocks), 50, 101 or 152 (bottlenecks), with the stages 64/128/256/512. */
export function imagenetResnet(depth: number): Net {
  return resnet(stagesOfFour(depth, basicBlock(shortcut), bottleneckBlock(shortcut)));
}

/** Of depth 6n + 2, with the stages 16/32/64. */
export function narrowImagenetResnet(depth: number): Net {
  return resnet({ ...stagesOfThree(depth, 2), block: basicBlock(shortcut) });
}

function resnet(plan: Stages & { readonly block: Block }): Net {
  return initialized(heFanOut, (layers, x, { classes }) => {
    const features: Features = {};
    const conv1 = layers.conv('conv1', x, 64, { kernel: 7, stride: 2, padding: 3 });
    const stem = reluFeature(features, 'stem', layers.batchNorm('bn1', conv1));
    const y = postActivationStages(layers, maxPool(stem, { kernel: 3, stride: 2, padding: 1 }), plan, features);
    const pooled = globalAvgPool(y);
    return { logits: layers.linear('fc', pooled, classes), pooled, features };
  });
}

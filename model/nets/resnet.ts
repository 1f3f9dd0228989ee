/**
 * ResNets for 32×32 images (He et al. 2016), ReLU after every sum; features `stem`, `stage1`, … after ReLU, `.preact` before.
 *   cifarResnet   – ResNet-18 to 152 with their four wide stages on a 3×3 stem; 1×1 convolutions where the shape changes
 *   classicResnet – the paper's narrow nets of depth 6n + 2, stages 16/32/64, parameter-free shortcuts (option A)
 *   classicResnetProjected – the same with 1×1 convolutions (option B), of depth 9n + 2 with bottlenecks
 */
import { globalAvgPool, pad, slice } from '../../engine/ops';
import { heFanIn, heFanOut, initialized } from './initial';
import type { Net } from './net';
import {
  basicBlock,
  bottleneckBlock,
  conv,
  keepsShape,
  postActivationStages,
  projection,
  reluFeature,
  stagesOfFour,
  stagesOfThree,
  type Block,
  type Features,
  type Shortcut,
  type Stages,
} from './residual';

/** Of depth 18, 34 (basic blocks), 50, 101 or 152 (bottlenecks). */
export function cifarResnet(depth: number): Net {
  const shortcut = projection('shortcut');
  return resnet(stagesOfFour(depth, basicBlock(shortcut), bottleneckBlock(shortcut)), 'linear');
}

/** Of depth 6n + 2, option A. */
export function classicResnet(depth: number): Net {
  return initialized(heFanIn, resnet({ ...stagesOfThree(depth, 2), block: basicBlock(zeroPadding) }, 'linear'));
}

/** Of depth 6n + 2 with basic blocks, 9n + 2 with bottlenecks; option B. */
export function classicResnetProjected(depth: number, kind: 'basic' | 'bottleneck' = 'basic'): Net {
  const shortcut = projection('downsample');
  const plan =
    kind === 'basic'
      ? { ...stagesOfThree(depth, 2), block: basicBlock(shortcut) }
      : { ...stagesOfThree(depth, 3), block: bottleneckBlock(shortcut) };
  return initialized(heFanOut, resnet(plan, 'fc'));
}

/** Option A: every second pixel, and zeros for the new channels, half of them on each side. */
const zeroPadding: Shortcut = (_, __, x, width, stride) => {
  if (keepsShape(x, width, stride)) return x;
  const missing = width - x.shape[1]!;
  const before = Math.floor(missing / 2);
  return pad(slice(slice(x, 2, 0, Infinity, stride), 3, 0, Infinity, stride), 1, before, missing - before);
};

/** A 3×3 stem as wide as the first stage, the stages, the mean over the map, and the linear layer `head`. */
function resnet(plan: Stages & { readonly block: Block }, head: string): Net {
  return (layers, x, { classes }) => {
    const features: Features = {};
    const stem = layers.batchNorm('bn1', conv(layers, 'conv1', x, plan.widths[0]!, 3));
    const y = postActivationStages(layers, reluFeature(features, 'stem', stem), plan, features);
    const pooled = globalAvgPool(y);
    return { logits: layers.linear(head, pooled, classes), pooled, features };
  };
}

/**
 * Pre-activation ResNets for 32×32 images (He et al. 2016, "Identity mappings in deep residual networks").
 *   preactResnet – ResNet-18 to 152 with four wide stages; the shortcut sees the activated input, nothing follows the
 *                  last sum, and the feature of the last stage is its ReLU, which no other layer sees
 *   preresnet    – three narrow stages of bottlenecks; the shortcut sees the raw input
 */
import { globalAvgPool, relu } from '../../engine/ops';
import { heFanOut, initialized } from './initial';
import type { Net } from './net';
import { basicPreActivation, bottleneckPreActivation, preActivationStages } from './pre_activation';
import { conv, keepFeature, stagesOfFour, stagesOfThree, type Features } from './residual';

const nameOf = (stage: number) => `layer${stage}`;

/** Of depth 18, 34 (basic blocks), 50, 101 or 152 (bottlenecks). */
export function preactResnet(depth: number): Net {
  const options = { shortcut: 'shortcut.0', shortcutOf: 'activated' } as const;
  const stages = stagesOfFour(depth, basicPreActivation(options), bottleneckPreActivation(options));
  return (layers, x, { classes }) => {
    const features: Features = {};
    const sum = preActivationStages(layers, conv(layers, 'conv1', x, 64, 3), { ...stages, nameOf }, features);
    keepFeature(features, 'stage4', sum, relu(sum));
    const pooled = globalAvgPool(sum);
    return { logits: layers.linear('linear', pooled, classes), pooled, features };
  };
}

/** Of nominal depth 6n + 2: n blocks a stage, which with their three convolutions make 9n + 2 layers. */
export function preresnet(depth: number): Net {
  const block = bottleneckPreActivation({ shortcut: 'downsample.0', shortcutOf: 'raw' });
  const plan = { ...stagesOfThree(depth, 2), block, nameOf };
  return initialized(heFanOut, (layers, x, { classes }) => {
    const features: Features = {};
    const sum = preActivationStages(layers, conv(layers, 'conv1', x, 16, 3), plan, features);
    const pooled = globalAvgPool(keepFeature(features, 'stage3', sum, relu(layers.batchNorm('bn', sum))));
    return { logits: layers.linear('fc', pooled, classes), pooled, features };
  });
}

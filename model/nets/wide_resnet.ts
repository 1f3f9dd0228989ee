/**
 * Wide ResNets (Zagoruyko & Komodakis 2016, "Wide residual networks"): pre-activation basic blocks in three wide stages,
 * dropout between the convolutions of a block. Where the width changes the shortcut sees the activated input.
 */
import { constant } from '../../engine/initializers';
import { globalAvgPool, relu } from '../../engine/ops';
import { heFanOut, initialized } from './initial';
import type { Net } from './net';
import { basicPreActivation, preActivationStages } from './pre_activation';
import { conv, keepFeature, stagesOfThree, type Features } from './residual';

/** How checkpoints call the stages and the linear layer. */
export interface WideResnetNames {
  readonly stage: 'block' | 'layer';
  readonly head: 'fc' | 'linear';
}

/** WRN-depth-factor of depth 6n + 4, with the stages 16k/32k/64k for factor k. */
export function wideResnet(depth: number, factor: number, { stage, head }: WideResnetNames): Net {
  const { widths, blocks } = stagesOfThree(depth, 2, 4);
  return initialized(heFanOut, (layers, x, { classes, dropoutRate }) => {
    const features: Features = {};
    const plan = {
      widths: widths.map((width) => factor * width),
      blocks,
      block: basicPreActivation({ shortcut: 'convShortcut', shortcutOf: 'activated', dropoutRate }),
      nameOf: (number: number) => `${stage}${number}.layer`,
    };
    const sum = preActivationStages(layers, conv(layers, 'conv1', x, 16, 3), plan, features);
    const pooled = globalAvgPool(keepFeature(features, 'stage3', sum, relu(layers.batchNorm('bn1', sum))));
    return { logits: layers.linear(head, pooled, classes, { bias: constant(0) }), pooled, features };
  });
}

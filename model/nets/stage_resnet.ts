/**
 * ResNets with a ReLU after every stage only: the sum of a block goes raw into the next one. Stem of 64 channels;
 * the map is averaged over 4×4 pixels and flattened. Features: `stem`, `stage1`, … after ReLU, `.preact` before.
 */
import { avgPool, flatten } from '../../engine/ops';
import type { Net } from './net';
import {
  basicBlock,
  bottleneckBlock,
  conv,
  forEachBlock,
  projection,
  reluFeature,
  stagesOfFour,
  stagesOfThree,
  type Block,
  type Features,
  type Stages,
} from './residual';

const shortcut = projection('shortcut');

/** Depth 6n + 2 with the stages 16/32/64; for 32×32 images the linear layer sees 2·2·64 values. */
export function narrowStageResnet(depth: number): Net {
  return stageResnet({ ...stagesOfThree(depth, 2), block: basicBlock(shortcut) });
}

/** Depth 10, 18, 34 (basic blocks), 50, 101 or 152 (bottlenecks) with the stages 64/128/256/512. */
export function wideStageResnet(depth: number): Net {
  return stageResnet(stagesOfFour(depth, basicBlock(shortcut), bottleneckBlock(shortcut)));
}

function stageResnet({ block: build, ...stages }: Stages & { readonly block: Block }): Net {
  return (layers, x, { classes }) => {
    const features: Features = {};
    let y = reluFeature(features, 'stem', layers.batchNorm('bn1', conv(layers, 'conv1', x, 64, 3)));
    forEachBlock(stages, ({ stage, block, isLast, width, stride }) => {
      y = build(layers, `layer${stage}.${block}`, y, width, stride);
      if (isLast) y = reluFeature(features, `stage${stage}`, y);
    });
    // A map below 4×4, of images below 13×13 in three stages, is averaged as a whole.
    const pooled = flatten(avgPool(y, Math.min(4, y.shape[2]!, y.shape[3]!)));
    return { logits: layers.linear('linear', pooled, classes), pooled, features };
  };
}

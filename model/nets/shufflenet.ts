/**
 * ShuffleNets for 32×32 images, which shuffle channels between groups.
 *   shufflenet   – Zhang, Zhou, Lin & Sun 2018: 1×1 convolutions in groups; 887,582 parameters for 10 classes with 2
 *                  groups, 862,768 with 3
 *   shufflenetV2 – Ma, Zhang, Zheng & Sun 2018, size 1: half of the channels pass as they are; 1,263,854 parameters
 * Features: `stem`, `stage1`, … and the second's `head` after ReLU; `.preact` before, but for channels that only pass.
 */
import { add, avgPool, channelShuffle, concat, globalAvgPool, relu, slice } from '../../engine/ops';
import type { Tensor } from '../../engine/tensor';
import type { Layers } from './layers';
import { depthwise } from './mobilenet';
import type { Net } from './net';
import { conv, forEachBlock, reluFeature, type Features } from './residual';

/** With 2 or 3 groups. */
export function shufflenet(groups: 2 | 3): Net {
  const widths = groups === 2 ? [200, 400, 800] : [240, 480, 960];
  return (layers, x, { classes }) => {
    const features: Features = {};
    let y = reluFeature(features, 'stem', layers.batchNorm('bn1', conv(layers, 'conv1', x, 24, 1)));
    forEachBlock({ widths, blocks: [4, 8, 4] }, ({ stage, block, isLast, width }) => {
      const sum = groupedBlock(layers, `layer${stage}.${block}`, y, width, { groups, isFirst: block === 0 });
      y = isLast ? reluFeature(features, `stage${stage}`, sum) : relu(sum);
    });
    const pooled = globalAvgPool(y);
    return { logits: layers.linear('linear', pooled, classes), pooled, features };
  };
}

/**
 * The first block of a stage halves the map and concatenates its result with the pooled input; others add it to their
 * input.
 */
function groupedBlock(
  layers: Layers,
  name: string,
  x: Tensor,
  width: number,
  { groups, isFirst }: { groups: number; isFirst: boolean },
): Tensor {
  const out = isFirst ? width - x.shape[1]! : width;
  const inner = Math.floor(out / 4);
  // The 24 channels of the stem are too few for groups.
  const entryGroups = x.shape[1] === 24 ? 1 : groups;
  let y = layers.conv(`${name}.conv1`, x, inner, { kernel: 1, groups: entryGroups });
  y = channelShuffle(relu(layers.batchNorm(`${name}.bn1`, y)), entryGroups);
  y = relu(layers.batchNorm(`${name}.bn2`, depthwise(layers, `${name}.conv2`, y, isFirst ? 2 : 1)));
  y = layers.batchNorm(`${name}.bn3`, layers.conv(`${name}.conv3`, y, out, { kernel: 1, groups }));
  return isFirst ? concat([y, avgPool(x, 3, { stride: 2, padding: 1 })], 1) : add(y, x);
}

export const shufflenetV2: Net = (layers, x, { classes }) => {
  const features: Features = {};
  let y = reluFeature(features, 'stem', layers.batchNorm('bn1', conv(layers, 'conv1', x, 24, 3)));
  forEachBlock({ widths: [116, 232, 464], blocks: [4, 8, 4] }, ({ stage, block, isLast, width }) => {
    const build = block === 0 ? halvingBlock : splitBlock;
    const shuffled = channelShuffle(build(layers, `layer${stage}.${block}`, y, width), 2);
    y = isLast ? reluFeature(features, `stage${stage}`, shuffled) : relu(shuffled);
  });
  y = reluFeature(features, 'head', layers.batchNorm('bn2', conv(layers, 'conv2', y, 1024, 1)));
  const pooled = globalAvgPool(y);
  return { logits: layers.linear('linear', pooled, classes), pooled, features };
};

/**
 * Half of the channels unchanged (none is negative), concatenated with the other half after its branch, before its
 * ReLU.
 */
function splitBlock(layers: Layers, name: string, x: Tensor, width: number): Tensor {
  const half = width / 2;
  let y = slice(x, 1, half, width);
  y = relu(layers.batchNorm(`${name}.bn1`, conv(layers, `${name}.conv1`, y, half, 1)));
  y = layers.batchNorm(`${name}.bn2`, depthwise(layers, `${name}.conv2`, y, 1));
  y = layers.batchNorm(`${name}.bn3`, conv(layers, `${name}.conv3`, y, half, 1));
  return concat([slice(x, 1, 0, half), y], 1);
}

/** Two branches, each on all channels, that halve the map; before their last ReLU. */
function halvingBlock(layers: Layers, name: string, x: Tensor, width: number): Tensor {
  const half = width / 2;
  let left = layers.batchNorm(`${name}.bn1`, depthwise(layers, `${name}.conv1`, x, 2));
  left = layers.batchNorm(`${name}.bn2`, conv(layers, `${name}.conv2`, left, half, 1));
  let right = relu(layers.batchNorm(`${name}.bn3`, conv(layers, `${name}.conv3`, x, half, 1)));
  right = layers.batchNorm(`${name}.bn4`, depthwise(layers, `${name}.conv4`, right, 2));
  right = layers.batchNorm(`${name}.bn5`, conv(layers, `${name}.conv5`, right, half, 1));
  return concat([left, right], 1);
}

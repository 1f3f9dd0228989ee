/**
 * MobileNets for 32×32 images: depthwise 3×3 convolutions filter, 1×1 convolutions mix the channels.
 *   mobilenet   – Howard et al. 2017; 3,217,226 parameters for 10 classes
 *   mobilenetV2 – Sandler et al. 2018, with ReLU instead of ReLU6; 2,296,922 parameters for 10 classes, 2,288,090 with
 *                 one block of 24 channels, as HtutLynn/Knowledge_Distillation_Pytorch has it
 * Features: `stem`, `stage1`, … for each size of the map, and `head` of the second net, after ReLU; `.preact` before.
 * Blocks of the second net end without ReLU: that of its stages is one that no other layer sees.
 */
import { add, globalAvgPool, relu } from '../../engine/ops';
import type { Tensor } from '../../engine/tensor';
import type { Layers } from './layers';
import type { Net } from './net';
import { conv, keepFeature, projection, reluFeature, type Features } from './residual';

/** Widths of the blocks of each stage; the first block of every stage but the first halves the map. */
const widths = [[64], [128, 128], [256, 256], [512, 512, 512, 512, 512, 512], [1024, 1024]];

export const mobilenet: Net = (layers, x, { classes }) => {
  const features: Features = {};
  let y = reluFeature(features, 'stem', layers.batchNorm('bn1', conv(layers, 'conv1', x, 32, 3)));
  let index = 0;
  widths.forEach((stage, i) => {
    stage.forEach((width, block) => {
      const name = `layers.${index++}`;
      const stride = i > 0 && block === 0 ? 2 : 1;
      const filtered = relu(layers.batchNorm(`${name}.bn1`, depthwise(layers, `${name}.conv1`, y, stride)));
      const mixed = layers.batchNorm(`${name}.bn2`, conv(layers, `${name}.conv2`, filtered, width, 1));
      y = block === stage.length - 1 ? reluFeature(features, `stage${i + 1}`, mixed) : relu(mixed);
    });
  });
  const pooled = globalAvgPool(y);
  return { logits: layers.linear('linear', pooled, classes), pooled, features };
};

/** For the groups of blocks of each stage: expansion factor and width. */
const groups: readonly (readonly (readonly [expansion: number, width: number])[])[] = [
  [
    [1, 16],
    [6, 24],
  ],
  [[6, 32]],
  [
    [6, 64],
    [6, 96],
  ],
  [
    [6, 160],
    [6, 320],
  ],
];

/** `counts` are the numbers of blocks per group: in the paper 1, 2, 3, 4, 3, 3, 1. */
export function mobilenetV2(counts: readonly number[]): Net {
  return (layers, x, { classes }) => {
    const features: Features = {};
    let y = reluFeature(features, 'stem', layers.batchNorm('bn1', conv(layers, 'conv1', x, 32, 3)));
    let [group, index] = [0, 0];
    groups.forEach((stage, i) => {
      let stride = i > 0 ? 2 : 1;
      for (const [expansion, width] of stage) {
        const count = counts[group++]!;
        for (let block = 0; block < count; block++) {
          y = invertedResidual(layers, `layers.${index++}`, y, { expansion, width, stride });
          stride = 1;
        }
      }
      keepFeature(features, `stage${i + 1}`, y, relu(y));
    });
    y = reluFeature(features, 'head', layers.batchNorm('bn2', conv(layers, 'conv2', y, 1280, 1)));
    const pooled = globalAvgPool(y);
    return { logits: layers.linear('linear', pooled, classes), pooled, features };
  };
}

/** 1×1 to `expansion` times the channels, depthwise 3×3, 1×1 to the width; a shortcut unless the map shrinks. */
function invertedResidual(
  layers: Layers,
  name: string,
  x: Tensor,
  { expansion, width, stride }: { expansion: number; width: number; stride: number },
): Tensor {
  let y = relu(layers.batchNorm(`${name}.bn1`, conv(layers, `${name}.conv1`, x, expansion * x.shape[1]!, 1)));
  y = relu(layers.batchNorm(`${name}.bn2`, depthwise(layers, `${name}.conv2`, y, stride)));
  y = layers.batchNorm(`${name}.bn3`, conv(layers, `${name}.conv3`, y, width, 1));
  return stride > 1 ? y : add(y, projection('shortcut')(layers, name, x, width, stride));
}

/** A 3×3 convolution of every channel with its own kernel. */
export function depthwise(layers: Layers, name: string, x: Tensor, stride: number): Tensor {
  return layers.conv(name, x, x.shape[1]!, { kernel: 3, stride, padding: 1, groups: x.shape[1]! });
}

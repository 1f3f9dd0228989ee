/**
 * SENet-18 for 32×32 images (Hu, Shen & Sun 2018, "Squeeze-and-excitation networks"): pre-activation basic blocks whose
 * output channels are weighted by a function of the whole map. 11,260,354 parameters for 10 classes. Features: as in
 * the pre-activation ResNets; nothing follows the last sum, and the feature of the last stage is its ReLU.
 */
import { add, globalAvgPool, mean, mul, relu, sigmoid } from '../../engine/ops';
import type { Tensor } from '../../engine/tensor';
import type { Layers } from './layers';
import type { Net } from './net';
import { preActivationStages, type PreActivationBlock } from './pre_activation';
import { conv, keepFeature, keepsShape, type Features } from './residual';

/** Channels of a block for each value that its weighing passes through. */
const REDUCTION = 16;

export const senet18: Net = (layers, x, { classes }) => {
  const features: Features = {};
  const stem = relu(layers.batchNorm('bn1', conv(layers, 'conv1', x, 64, 3)));
  const plan = {
    widths: [64, 128, 256, 512],
    blocks: [2, 2, 2, 2],
    block: weighedBlock,
    nameOf: (stage: number) => `layer${stage}`,
  };
  const sum = preActivationStages(layers, stem, plan, features);
  keepFeature(features, 'stage4', sum, relu(sum));
  const pooled = globalAvgPool(sum);
  return { logits: layers.linear('linear', pooled, classes), pooled, features };
};

/** Two 3×3 convolutions, weighed; where the shape changes the shortcut is a 1×1 convolution of the activated input. */
const weighedBlock: PreActivationBlock = (layers, name, x, width, stride) => {
  const activated = relu(layers.batchNorm(`${name}.bn1`, x));
  let y = conv(layers, `${name}.conv1`, activated, width, 3, stride);
  y = conv(layers, `${name}.conv2`, relu(layers.batchNorm(`${name}.bn2`, y)), width, 3);
  const kept = keepsShape(x, width, stride) ? x : conv(layers, `${name}.shortcut.0`, activated, width, 1, stride);
  return { activated, sum: add(weighed(layers, name, y), kept) };
};

/** x · σ(W₂ ReLU(W₁ mean(x) + b₁) + b₂), a weight for each channel of each image. */
function weighed(layers: Layers, name: string, x: Tensor): Tensor {
  const width = x.shape[1]!;
  const squeezed = mean(x, { axes: [2, 3], keepDims: true });
  const inner = relu(layers.conv(`${name}.fc1`, squeezed, width / REDUCTION, { kernel: 1, bias: true }));
  return mul(x, sigmoid(layers.conv(`${name}.fc2`, inner, width, { kernel: 1, bias: true })));
}

/**
 * LeNet-5 (LeCun, Bottou, Bengio & Haffner 1998) with ReLU, max-pooling and BatchNorm behind its convolutions; 62,050
 * parameters for 32×32 colour images and 10 classes. Features: `stage1`, `stage2` after ReLU, `.preact` before.
 */
import { flatten, maxPool, relu } from '../../engine/ops';
import type { Net } from './net';
import { reluFeature, type Features } from './residual';
import { requireSide } from './size';

export const simplenet: Net = (layers, x, { classes }) => {
  requireSide('simplenet', x, 16);
  const features: Features = {};
  let y = x;
  for (const [i, width] of [6, 16].entries()) {
    const stage = i + 1;
    y = layers.batchNorm(`bn${stage}`, layers.conv(`conv${stage}`, y, width, { kernel: 5, bias: true }));
    y = maxPool(reluFeature(features, `stage${stage}`, y), { kernel: 2 });
  }
  const hidden = relu(layers.linear('fc1', flatten(y), 120));
  const pooled = relu(layers.linear('fc2', hidden, 84));
  return { logits: layers.linear('fc3', pooled, classes), pooled, features };
};

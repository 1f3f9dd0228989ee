/** The 5-layer CNN: three convolutions, two linear layers; 357,514 parameters at 32 channels and 10 classes. */
import { flatten, maxPool, relu } from '../../engine/ops';
import type { Net } from './net';

export const cnn: Net = (layers, x, { classes, numChannels, dropoutRate }) => {
  const features: Record<string, typeof x> = {};
  let y = x;
  for (const [i, width] of [numChannels, 2 * numChannels, 4 * numChannels].entries()) {
    const stage = i + 1;
    y = layers.conv(`conv${stage}`, y, width, { kernel: 3, padding: 1, bias: true });
    y = layers.batchNorm(`bn${stage}`, y);
    y = maxPool(y, { kernel: 2 });
    features[`stage${stage}.preact`] = y;
    y = relu(y);
    features[`stage${stage}`] = y;
  }
  y = layers.linear('fc1', flatten(y), 4 * numChannels);
  y = relu(layers.batchNorm('fcbn1', y));
  const pooled = layers.dropout('dropout', y, dropoutRate);
  return { logits: layers.linear('fc2', pooled, classes), pooled, features };
};

/**
 * Small networks with two 5×5 convolutions, each followed by max-pooling, and three linear layers.
 *   simplenet – LeNet-5 (LeCun, Bottou, Bengio & Haffner 1998) with ReLU, and BatchNorm behind its convolutions; 62,050
 *               parameters for 32×32 color images and 10 classes
 *   cifarNet  – the same without BatchNorm: the network of PyTorch's tutorial "Training a Classifier"; 62,006 parameters
 * Features: `stage1`, `stage2` after ReLU, `.preact` before.
 */
import { flatten, maxPool, relu } from '../../engine/ops';
import type { Net } from './net';
import { reluFeature, type Features } from './residual';
import { requireSide } from './size';

export const simplenet = lenet('simplenet', { batchNorm: true });
export const cifarNet = lenet('cifar_net', { batchNorm: false });

function lenet(name: string, { batchNorm }: { batchNorm: boolean }): Net {
  return (layers, x, { classes }) => {
    requireSide(name, x, 16);
    const features: Features = {};
    let y = x;
    for (const [i, width] of [6, 16].entries()) {
      const stage = i + 1;
      y = layers.conv(`conv${stage}`, y, width, { kernel: 5, bias: true });
      if (batchNorm) y = layers.batchNorm(`bn${stage}`, y);
      y = maxPool(reluFeature(features, `stage${stage}`, y), { kernel: 2 });
    }
    const hidden = relu(layers.linear('fc1', flatten(y), 120));
    const pooled = relu(layers.linear('fc2', hidden, 84));
    return { logits: layers.linear('fc3', pooled, classes), pooled, features };
  };
}

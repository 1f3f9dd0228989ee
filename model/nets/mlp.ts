/**
 * Multi-layer perceptron on the flattened image, dropout after every hidden layer. Of 784 pixels and 10 classes, hidden
 * layers of 1200 and 1200 units have 2,395,210 parameters, 800 and 800 have 1,276,810: the nets of Hinton, Vinyals & Dean
 * 2015. Features: `stage1`, … after the ReLU of a hidden layer, `.preact` before.
 */
import { flatten } from '../../engine/ops';
import type { Net } from './net';
import { reluFeature, type Features } from './residual';

/** With hidden layers of `sizes` units; of `hiddenSizes` by default. */
export function mlp(sizes?: readonly number[]): Net {
  return (layers, x, { classes, dropoutRate, hiddenSizes = [1200, 1200] }) => {
    const features: Features = {};
    const hidden = sizes ?? hiddenSizes;
    let y = flatten(x);
    hidden.forEach((size, i) => {
      const layer = i + 1;
      y = reluFeature(features, `stage${layer}`, layers.linear(`fc${layer}`, y, size));
      y = layers.dropout(`dropout${layer}`, y, dropoutRate);
    });
    return { logits: layers.linear(`fc${hidden.length + 1}`, y, classes), pooled: y, features };
  };
}

/**
 * DenseNet-BC for 32×32 images (Huang, Liu, van der Maaten & Weinberger 2017): every layer sees the maps of all layers
 * of its block; transitions halve channels and map.
 *   densenetBC – three equal blocks: depth 100 and growth 12 have 769,162 parameters for 10 classes
 *   densenet   – four blocks: DenseNet-121, 161, 169, 201, and 121 with growth 12
 * Features: `stage1.preact`, … are the concatenated maps of a block, `stage1`, … the same after the BatchNorm and ReLU
 * that follow.
 */
import { avgPool, concat, globalAvgPool, relu } from '../../engine/ops';
import type { Tensor } from '../../engine/tensor';
import { heFanOut, initialized } from './initial';
import type { Layers } from './layers';
import type { Net } from './net';
import { conv, keepFeature, type Features } from './residual';
import { requireSide } from './size';

interface Plan {
  readonly net: string;
  /** Layers of each block. */
  readonly blocks: readonly number[];
  /** Growth: channels that a layer adds. */
  readonly growth: number;
  /** Whether new channels come before the existing ones. */
  readonly newFirst: boolean;
  /** Names of BatchNorm and convolution of a transition, and of the linear layer. */
  readonly names: { readonly bn: string; readonly conv: string; readonly head: string };
}

/** Of depth 6n + 4 with n layers in each of three blocks. */
export function densenetBC(depth: number, growth: number): Net {
  const layers = (depth - 4) / 6;
  const names = { bn: 'bn1', conv: 'conv1', head: 'fc' };
  const blocks = [layers, layers, layers];
  return initialized(heFanOut, dense({ net: `densenet${depth}`, blocks, growth, newFirst: false, names }));
}

const fourBlocks = {
  121: [6, 12, 24, 16],
  161: [6, 12, 36, 24],
  169: [6, 12, 32, 32],
  201: [6, 12, 48, 32],
} as const;

/** Of depth 121, 161, 169 or 201. */
export function densenet(depth: keyof typeof fourBlocks, growth: number): Net {
  const names = { bn: 'bn', conv: 'conv', head: 'linear' };
  return dense({ net: `densenet${depth}`, blocks: fourBlocks[depth], growth, newFirst: true, names });
}

function dense({ net, blocks, growth, newFirst, names }: Plan): Net {
  return (layers, x, { classes, dropoutRate }) => {
    requireSide(net, x, 2 ** (blocks.length - 1));
    const features: Features = {};
    let y = conv(layers, 'conv1', x, 2 * growth, 3);
    blocks.forEach((count, i) => {
      const stage = i + 1;
      for (let layer = 0; layer < count; layer++) {
        const name = `dense${stage}.${layer}`;
        const added = layers.dropout(`${name}.dropout`, bottleneck(layers, name, y, growth), dropoutRate);
        y = concat(newFirst ? [added, y] : [y, added], 1);
      }
      const isLast = stage === blocks.length;
      const activated = relu(layers.batchNorm(isLast ? 'bn' : `trans${stage}.${names.bn}`, y));
      y = keepFeature(features, `stage${stage}`, y, activated);
      if (!isLast) {
        y = avgPool(conv(layers, `trans${stage}.${names.conv}`, y, Math.floor(y.shape[1]! / 2), 1), 2);
      }
    });
    const pooled = globalAvgPool(y);
    return { logits: layers.linear(names.head, pooled, classes), pooled, features };
  };
}

/** The maps that a layer adds: BatchNorm, ReLU, 1×1 convolution to 4 · growth; the same with 3×3 to growth channels. */
function bottleneck(layers: Layers, name: string, x: Tensor, growth: number): Tensor {
  const narrow = conv(layers, `${name}.conv1`, relu(layers.batchNorm(`${name}.bn1`, x)), 4 * growth, 1);
  return conv(layers, `${name}.conv2`, relu(layers.batchNorm(`${name}.bn2`, narrow)), growth, 3);
}

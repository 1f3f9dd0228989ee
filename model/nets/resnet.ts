/**
 * Residual networks of basic blocks for small images (He et al. 2016).
 *   classic  – the paper's CIFAR nets: stem 16, stages 16/32/64, parameter-free shortcuts (option A: every second pixel,
 *              new channels zero), convolutions initialised by He's normal distribution.
 *   wide     – ResNet-18's widths 64/128/256/512 on a 3×3 stem, shortcuts by 1×1 convolution and BatchNorm.
 */
import { fanIn, normal, type Initializer } from '../../engine/initializers';
import { add, globalAvgPool, pad, relu, slice } from '../../engine/ops';
import type { Tensor } from '../../engine/tensor';
import type { Layers } from '../layers';
import type { Net } from './net';

type Shortcut = (layers: Layers, name: string, x: Tensor, width: number, stride: number) => Tensor;

const heNormal: Initializer = (name, shape, seed) => normal(Math.sqrt(2 / fanIn(shape)))(name, shape, seed);

const zeroPadded: Shortcut = (_, __, x, width, stride) => {
  const missing = width - x.shape[1]!;
  const before = Math.floor(missing / 2);
  return pad(slice(slice(x, 2, 0, Infinity, stride), 3, 0, Infinity, stride), 1, before, missing - before);
};

const projected: Shortcut = (layers, name, x, width, stride) =>
  layers.batchNorm(`${name}.1`, layers.conv(`${name}.0`, x, width, { kernel: 1, stride }));

/** Classic CIFAR ResNet of depth 6n + 2. */
export function classicResnet(depth: number): Net {
  const blocks = (depth - 2) / 6;
  return resnet({ widths: [16, 32, 64], blocks: [blocks, blocks, blocks], shortcut: zeroPadded, init: heNormal });
}

/** ResNet-18: 11,173,962 parameters for 10 classes. */
export const resnet18: Net = resnet({ widths: [64, 128, 256, 512], blocks: [2, 2, 2, 2], shortcut: projected });

interface Plan {
  readonly widths: readonly number[];
  readonly blocks: readonly number[];
  readonly shortcut: Shortcut;
  readonly init?: Initializer;
}

function resnet({ widths, blocks, shortcut, init }: Plan): Net {
  const conv3 = (layers: Layers, name: string, x: Tensor, width: number, stride: number) =>
    layers.conv(name, x, width, { kernel: 3, stride, padding: 1, ...(init && { init }) });

  return (layers, x, { classes }) => {
    const features: Record<string, Tensor> = {};
    let y = relu(layers.batchNorm('bn1', conv3(layers, 'conv1', x, widths[0]!, 1)));
    features.stem = y;
    widths.forEach((width, stage) => {
      for (let block = 0; block < blocks[stage]!; block++) {
        const name = `layer${stage + 1}.${block}`;
        const stride = stage > 0 && block === 0 ? 2 : 1;
        let z = relu(layers.batchNorm(`${name}.bn1`, conv3(layers, `${name}.conv1`, y, width, stride)));
        z = layers.batchNorm(`${name}.bn2`, conv3(layers, `${name}.conv2`, z, width, 1));
        const changes = stride > 1 || y.shape[1] !== width;
        z = add(z, changes ? shortcut(layers, `${name}.shortcut`, y, width, stride) : y);
        y = relu(z);
        if (block === blocks[stage]! - 1) features[`stage${stage + 1}.preact`] = z;
      }
      features[`stage${stage + 1}`] = y;
    });
    const pooled = globalAvgPool(y);
    return { logits: layers.linear('linear', pooled, classes), pooled, features };
  };
}

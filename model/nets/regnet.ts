/**
 * RegNetY (Radosavovic et al. 2020, "Designing network design spaces"), named as in timm: bottlenecks without a bottle neck, whose 3×3
 * convolution runs in groups of 8 channels and whose channels are weighed. 400MF has 3,907,554 parameters for 10 classes.
 * The stem has stride 2, on images of up to 64×64 stride 1. Features: `stem`, `stage1` … `stage4` after ReLU, `.preact` before.
 */
import { constant, normal } from '../../engine/initializers';
import { add, globalAvgPool, mean, mul, relu, sigmoid } from '../../engine/ops';
import type { Tensor } from '../../engine/tensor';
import { heFanOut } from './initial';
import type { Layers } from './layers';
import type { Net } from './net';
import { keepsShape, reluFeature, type Features } from './residual';
import { bySize } from './stem';

/** Channels of a group. */
const GROUP = 8;

export const regnety400mf = regnety({ widths: [48, 104, 208, 440], depths: [1, 3, 6, 6] });

function regnety({ widths, depths }: { readonly widths: readonly number[]; readonly depths: readonly number[] }): Net {
  const blocks = depths.reduce((total, depth) => total + depth, 0);
  return (layers, x, { classes, dropoutRate, dropPathRate = 0, stemStride }) => {
    const features: Features = {};
    const stride = stemStride ?? bySize(x, { small: 1, usual: 2 });
    let y = reluFeature(features, 'stem', convNorm(layers, 'stem', x, 32, { kernel: 3, stride }));
    let index = 0;
    widths.forEach((width, i) => {
      for (let block = 1; block <= depths[i]!; block++) {
        const dropRate = (dropPathRate * index++) / (blocks - 1);
        const place = { width, stride: block === 1 ? 2 : 1, dropRate };
        const sum = bottleneck(layers, `s${i + 1}.b${block}`, y, place);
        y = block === depths[i] ? reluFeature(features, `stage${i + 1}`, sum) : relu(sum);
      }
    });
    const pooled = layers.dropout('head.drop', globalAvgPool(y), dropoutRate);
    const init = { weight: normal(0.01), bias: constant(0) };
    return { logits: layers.linear('head.fc', pooled, classes, init), pooled, features };
  };
}

function bottleneck(
  layers: Layers,
  name: string,
  x: Tensor,
  { width, stride, dropRate }: { readonly width: number; readonly stride: number; readonly dropRate: number },
): Tensor {
  let y = relu(convNorm(layers, `${name}.conv1`, x, width, { kernel: 1 }));
  y = relu(convNorm(layers, `${name}.conv2`, y, width, { kernel: 3, stride, groups: width / GROUP }));
  y = weighed(layers, `${name}.se`, y, Math.round(x.shape[1]! / 4));
  y = convNorm(layers, `${name}.conv3`, y, width, { kernel: 1 });
  const kept = keepsShape(x, width, stride)
    ? x
    : convNorm(layers, `${name}.downsample`, x, width, { kernel: 1, stride });
  return add(layers.dropPath(`${name}.drop_path`, y, dropRate), kept);
}

/** x · σ(W₂ ReLU(W₁ mean(x) + b₁) + b₂), a weight for each channel of each image. */
function weighed(layers: Layers, name: string, x: Tensor, channels: number): Tensor {
  const options = { kernel: 1, bias: constant(0), init: heFanOut };
  const few = relu(layers.conv(`${name}.fc1`, mean(x, { axes: [2, 3], keepDims: true }), channels, options));
  return mul(x, sigmoid(layers.conv(`${name}.fc2`, few, x.shape[1]!, options)));
}

/** Convolution and BatchNorm. */
function convNorm(
  layers: Layers,
  name: string,
  x: Tensor,
  width: number,
  { kernel, stride = 1, groups = 1 }: { readonly kernel: number; readonly stride?: number; readonly groups?: number },
): Tensor {
  const init = normal(Math.sqrt((2 * groups) / (kernel ** 2 * width)));
  const options = { kernel, stride, padding: (kernel - 1) / 2, groups, init };
  return layers.batchNorm(`${name}.bn`, layers.conv(`${name}.conv`, x, width, options));
}

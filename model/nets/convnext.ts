/**
 * ConvNeXt (Liu et al. 2022, "A ConvNet for the 2020s"), named as in timm: a depthwise 7×7 convolution, LayerNorm and a perceptron
 * at each place. Parameters for 10 classes: 3,377,730 (atto), 4,834,522 (femto), 27,827,818 (tiny).
 * The stem is a 4×4 convolution of stride 4, on images of up to 64×64 of stride 2.
 * Features: `stem`, `stage1` … `stage4`; no activation follows, so `.preact` is the same.
 */
import { constant, normal } from '../../engine/initializers';
import { add, gelu, globalAvgPool, mul, reshape, transpose } from '../../engine/ops';
import type { Tensor } from '../../engine/tensor';
import type { Layers } from './layers';
import type { Net } from './net';
import { keepFeature, type Features } from './residual';
import { requireSide } from './size';
import { bySize } from './stem';

interface Plan {
  readonly depths: readonly number[];
  readonly widths: readonly number[];
  /** Whether the linear layers of a perceptron are stored as 1×1 convolutions. */
  readonly convolves: boolean;
}

const EPS = 1e-6;
const STEM = 4;
/** Initial scale of a residual branch. */
const LAYER_SCALE = 1e-6;

const init = { weight: normal(0.02), bias: constant(0) };
const convInit = { init: init.weight, bias: init.bias };

export const convnextAtto = convnext({ depths: [2, 2, 6, 2], widths: [40, 80, 160, 320], convolves: true });
export const convnextFemto = convnext({ depths: [2, 2, 6, 2], widths: [48, 96, 192, 384], convolves: true });
export const convnextTiny = convnext({ depths: [3, 3, 9, 3], widths: [96, 192, 384, 768], convolves: false });

function convnext({ depths, widths, convolves }: Plan): Net {
  const blocks = depths.reduce((total, depth) => total + depth, 0);
  return (layers, x, { classes, dropoutRate, dropPathRate = 0, stemStride }) => {
    const stride = stemStride ?? bySize(x, { small: 2, usual: STEM });
    requireSide('convnext', x, 8 * stride);
    const features: Features = {};
    const stem = layers.conv('stem.0', x, widths[0]!, {
      kernel: STEM,
      stride,
      padding: paddingOf(stride),
      ...convInit,
    });
    let y = layers.layerNorm('stem.1', stem, EPS);
    keepFeature(features, 'stem', y, y);
    let index = 0;
    widths.forEach((width, i) => {
      const name = `stages.${i}`;
      if (i > 0) {
        const normalized = layers.layerNorm(`${name}.downsample.0`, y, EPS);
        y = layers.conv(`${name}.downsample.1`, normalized, width, { kernel: 2, stride: 2, ...convInit });
      }
      for (let block = 0; block < depths[i]!; block++) {
        const dropRate = (dropPathRate * index++) / (blocks - 1);
        y = residual(layers, `${name}.blocks.${block}`, y, { convolves, dropRate });
      }
      keepFeature(features, `stage${i + 1}`, y, y);
    });
    const pooled = layers.dropout('head.drop', layers.layerNorm('head.norm', globalAvgPool(y), EPS), dropoutRate);
    return { logits: layers.linear('head.fc', pooled, classes, init), pooled, features };
  };
}

/** On each side of the images, so that a stride of 2 halves them exactly. */
function paddingOf(stride: number): number {
  return Math.ceil((STEM - stride) / 2);
}

/** x + γ · perceptron(LN(depthwise(x))), γ being a trained scale of each channel (Touvron et al. 2021). */
function residual(
  layers: Layers,
  name: string,
  x: Tensor,
  { convolves, dropRate }: { readonly convolves: boolean; readonly dropRate: number },
): Tensor {
  const width = x.shape[1]!;
  const scale = layers.parameter(`${name}.gamma`, [width], constant(LAYER_SCALE));
  const spread = { kernel: 7, padding: 3, groups: width, ...convInit };
  const mixed = layers.conv(`${name}.conv_dw`, x, width, spread);
  const branch = perceptron(layers, name, mixed, { scale, isConvolution: convolves });
  return add(x, layers.dropPath(`${name}.drop_path`, branch, dropRate));
}

/** γ · perceptron(LN(x)) for each place. */
function perceptron(
  layers: Layers,
  name: string,
  x: Tensor,
  { scale, isConvolution }: { readonly scale: Tensor; readonly isConvolution: boolean },
): Tensor {
  const [batch = 0, width = 0, height = 0, breadth = 0] = x.shape;
  const linear = (key: string, y: Tensor, features: number) =>
    layers.linear(`${name}.mlp.${key}`, y, features, { ...init, isConvolution });
  const tokens = transpose(reshape(x, [batch, width, height * breadth]), [0, 2, 1]);
  const wide = gelu(linear('fc1', layers.layerNorm(`${name}.norm`, tokens, EPS), 4 * width));
  return reshape(transpose(mul(linear('fc2', wide, width), scale), [0, 2, 1]), x.shape);
}

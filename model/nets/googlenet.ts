/**
 * GoogLeNet with BatchNorm for 32×32 images (Szegedy et al. 2015); two 3×3 convolutions replace each 5×5 one. 6,166,250
 * parameters for 10 classes. Features: `stem`, and `stage1`, `stage2`, `stage3` before downsampling or averaging, after
 * ReLU; `.preact` before ReLU.
 */
import { concat, globalAvgPool, maxPool, relu } from '../../engine/ops';
import type { Tensor } from '../../engine/tensor';
import type { Layers } from './layers';
import type { Net } from './net';
import { reluFeature, type Features } from './residual';

/** Channels of the branches of a module: 1×1; 1×1 before 3×3, 3×3; 1×1 before 5×5, 5×5; after pooling. */
type Widths = readonly [number, number, number, number, number, number];

const stages: readonly Readonly<Record<string, Widths>>[] = [
  {
    a3: [64, 96, 128, 16, 32, 32],
    b3: [128, 128, 192, 32, 96, 64],
  },
  {
    a4: [192, 96, 208, 16, 48, 64],
    b4: [160, 112, 224, 24, 64, 64],
    c4: [128, 128, 256, 24, 64, 64],
    d4: [112, 144, 288, 32, 64, 64],
    e4: [256, 160, 320, 32, 128, 128],
  },
  {
    a5: [256, 160, 320, 32, 128, 128],
    b5: [384, 192, 384, 48, 128, 128],
  },
];

export const googlenet: Net = (layers, x, { classes }) => {
  const features: Features = {};
  let y = reluFeature(features, 'stem', normalized(layers, 'pre_layers', 0, x, 192, 3));
  stages.forEach((modules, i) => {
    if (i > 0) y = maxPool(y, { kernel: 3, stride: 2, padding: 1 });
    const names = Object.keys(modules);
    for (const name of names) {
      const sum = inception(layers, name, y, modules[name]!);
      y = name === names.at(-1) ? reluFeature(features, `stage${i + 1}`, sum) : relu(sum);
    }
  });
  const pooled = globalAvgPool(y);
  return { logits: layers.linear('linear', pooled, classes), pooled, features };
};

/** The four branches side by side, before their last ReLU. */
function inception(layers: Layers, name: string, x: Tensor, widths: Widths): Tensor {
  const [width1, reduced3, width3, reduced5, width5, widthPool] = widths;
  const one = normalized(layers, `${name}.b1`, 0, x, width1, 1);
  let three = relu(normalized(layers, `${name}.b2`, 0, x, reduced3, 1));
  three = normalized(layers, `${name}.b2`, 3, three, width3, 3);
  let five = relu(normalized(layers, `${name}.b3`, 0, x, reduced5, 1));
  five = relu(normalized(layers, `${name}.b3`, 3, five, width5, 3));
  five = normalized(layers, `${name}.b3`, 6, five, width5, 3);
  const around = maxPool(x, { kernel: 3, stride: 1, padding: 1 });
  return concat([one, three, five, normalized(layers, `${name}.b4`, 1, around, widthPool, 1)], 1);
}

/** Convolution with bias and BatchNorm, members `at` and `at + 1` of the sequence `name`. */
function normalized(layers: Layers, name: string, at: number, x: Tensor, width: number, kernel: number): Tensor {
  const y = layers.conv(`${name}.${at}`, x, width, { kernel, padding: (kernel - 1) / 2, bias: true });
  return layers.batchNorm(`${name}.${at + 1}`, y);
}

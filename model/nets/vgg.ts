/**
 * VGG with BatchNorm for 32×32 images (Simonyan & Zisserman 2015): five groups of 3×3 convolutions, each ended by
 * max-pooling, and one linear layer. 9,231,114 (11), 9,416,010 (13), 14,728,266 (16) or 20,040,522 (19) parameters for
 * 10 classes. Features: `stage1` … `stage5` after the last ReLU of a group, `.preact` before it.
 */
import { globalAvgPool, maxPool, relu } from '../../engine/ops';
import type { Net } from './net';
import { reluFeature, type Features } from './residual';
import { requireSide } from './size';

const WIDTHS = [64, 128, 256, 512, 512];

/** Convolutions in each group, by depth. */
const convolutions = {
  11: [1, 1, 2, 2, 2],
  13: [2, 2, 2, 2, 2],
  16: [2, 2, 3, 3, 3],
  19: [2, 2, 4, 4, 4],
} as const;

export function vgg(depth: keyof typeof convolutions): Net {
  return (layers, x, { classes }) => {
    requireSide(`vgg${depth}`, x, 32);
    const features: Features = {};
    let y = x;
    // PyTorch numbers the convolutions, BatchNorms, ReLUs and poolings in one row.
    let at = 0;
    WIDTHS.forEach((width, group) => {
      const count = convolutions[depth][group]!;
      for (let i = 0; i < count; i++) {
        y = layers.conv(`features.${at}`, y, width, { kernel: 3, padding: 1, bias: true });
        y = layers.batchNorm(`features.${at + 1}`, y);
        y = i === count - 1 ? reluFeature(features, `stage${group + 1}`, y) : relu(y);
        at += 3;
      }
      y = maxPool(y, { kernel: 2 });
      at += 1;
    });
    const pooled = globalAvgPool(y);
    return { logits: layers.linear('classifier', pooled, classes), pooled, features };
  };
}

/**
 * Shared by residual networks: blocks, shortcuts, stages, depths.
 *   He, Zhang, Ren & Sun, "Deep residual learning for image recognition" (2016): ReLU after the sum;
 *   He, Zhang, Ren & Sun, "Identity mappings in deep residual networks" (2016): BatchNorm and ReLU before convolutions.
 * Tensors are named as in PyTorch: <block>.conv1, <block>.bn1, ….
 */
import { add, relu } from '../../engine/ops';
import type { Tensor } from '../../engine/tensor';
import type { Layers } from './layers';

export type Features = Record<string, Tensor>;

/** Output channels of a bottleneck per channel of its 3×3 convolution. */
export const EXPANSION = 4;

/** Convolution without bias; the stride alone changes the size of the map. */
export function conv(layers: Layers, name: string, x: Tensor, width: number, kernel: number, stride = 1): Tensor {
  return layers.conv(name, x, width, { kernel, stride, padding: (kernel - 1) / 2 });
}

/** Records a feature map before and after its activation, as `<name>.preact` and `<name>`; returns the latter. */
export function keepFeature(features: Features, name: string, before: Tensor, after: Tensor): Tensor {
  features[`${name}.preact`] = before;
  features[name] = after;
  return after;
}

/** ReLU that records its input and output. */
export function reluFeature(features: Features, name: string, x: Tensor): Tensor {
  return keepFeature(features, name, x, relu(x));
}

/** The shortcut: x with the `width` and `stride` of block `name`. */
export type Shortcut = (layers: Layers, name: string, x: Tensor, width: number, stride: number) => Tensor;

/** Whether a block of this width and stride keeps the shape of x. */
export function keepsShape(x: Tensor, width: number, stride: number): boolean {
  return stride === 1 && x.shape[1] === width;
}

/** Where the shape changes: 1×1 convolution and BatchNorm, `<block>.<key>.0` and `<block>.<key>.1`. */
export function projection(key: 'shortcut' | 'downsample'): Shortcut {
  return (layers, name, x, width, stride) =>
    keepsShape(x, width, stride)
      ? x
      : layers.batchNorm(`${name}.${key}.1`, conv(layers, `${name}.${key}.0`, x, width, 1, stride));
}

/** The sum that a block ends with, before any ReLU of it. `width` is that of its 3×3 convolutions. */
export type Block = (layers: Layers, name: string, x: Tensor, width: number, stride: number) => Tensor;

/** Two 3×3 convolutions. */
export function basicBlock(shortcut: Shortcut): Block {
  return (layers, name, x, width, stride) => {
    let y = relu(layers.batchNorm(`${name}.bn1`, conv(layers, `${name}.conv1`, x, width, 3, stride)));
    y = layers.batchNorm(`${name}.bn2`, conv(layers, `${name}.conv2`, y, width, 3));
    return add(y, shortcut(layers, name, x, width, stride));
  };
}

/** 1×1, 3×3, 1×1 convolution; the stride is that of the middle one. */
export function bottleneckBlock(shortcut: Shortcut): Block {
  return (layers, name, x, width, stride) => {
    let y = relu(layers.batchNorm(`${name}.bn1`, conv(layers, `${name}.conv1`, x, width, 1)));
    y = relu(layers.batchNorm(`${name}.bn2`, conv(layers, `${name}.conv2`, y, width, 3, stride)));
    y = layers.batchNorm(`${name}.bn3`, conv(layers, `${name}.conv3`, y, EXPANSION * width, 1));
    return add(y, shortcut(layers, name, x, EXPANSION * width, stride));
  };
}

/** For each stage: the width and the number of its blocks. */
export interface Stages {
  readonly widths: readonly number[];
  readonly blocks: readonly number[];
}

/** Blocks of the networks with four stages, by depth; from 50 on they are bottlenecks. */
const fourStages: Readonly<Record<number, readonly number[]>> = {
  10: [1, 1, 1, 1],
  18: [2, 2, 2, 2],
  34: [3, 4, 6, 3],
  50: [3, 4, 6, 3],
  101: [3, 4, 23, 3],
  152: [3, 8, 36, 3],
};

/** The four stages of a depth, and their block. */
export function stagesOfFour<B>(depth: number, basic: B, bottleneck: B): Stages & { readonly block: B } {
  const blocks = fourStages[depth];
  if (!blocks) throw new Error(`resnet: depth must be one of ${Object.keys(fourStages).join(', ')}, got ${depth}`);
  return { widths: [64, 128, 256, 512], blocks, block: depth < 50 ? basic : bottleneck };
}

/** Three stages of equal length for 32×32 images: depth = 3 · blocks · convolutions of a block + `others`. */
export function stagesOfThree(depth: number, convolutions: number, others = 2): Stages {
  const blocks = (depth - others) / (3 * convolutions);
  if (!Number.isInteger(blocks) || blocks < 1) {
    throw new Error(`resnet: depth must be ${3 * convolutions}n + ${others}, got ${depth}`);
  }
  return { widths: [16, 32, 64], blocks: [blocks, blocks, blocks] };
}

/** Calls `build` for every block in order; the first block of every stage but the first halves the map. */
export function forEachBlock(
  { widths, blocks }: Stages,
  build: (at: { stage: number; block: number; isLast: boolean; width: number; stride: number }) => void,
): void {
  widths.forEach((width, i) => {
    for (let block = 0; block < blocks[i]!; block++) {
      build({ stage: i + 1, block, isLast: block === blocks[i]! - 1, width, stride: i > 0 && block === 0 ? 2 : 1 });
    }
  });
}

/** Stages `layer1`, `layer2`, … of blocks, each with a ReLU after its sum; records `stage1.preact`, `stage1`, …. */
export function postActivationStages(
  layers: Layers,
  x: Tensor,
  { block: build, ...stages }: Stages & { readonly block: Block },
  features: Features,
): Tensor {
  let y = x;
  forEachBlock(stages, ({ stage, block, isLast, width, stride }) => {
    const sum = build(layers, `layer${stage}.${block}`, y, width, stride);
    y = isLast ? reluFeature(features, `stage${stage}`, sum) : relu(sum);
  });
  return y;
}

/**
 * Inverted residual blocks (Sandler et al. 2018, "MobileNetV2") as EfficientNet and MobileNetV3 have them, named as in timm: 1×1 to
 * more channels, depthwise, weighed channels (Hu, Shen & Sun 2018), 1×1 to fewer without an activation.
 */
import { constant, normal, type Initializer } from '../../engine/initializers';
import { add, mean, mul } from '../../engine/ops';
import type { Tensor } from '../../engine/tensor';
import { heFanOut } from './initial';
import type { Layers } from './layers';
import { keepFeature, keepsShape, type Features } from './residual';

export type Activation = (x: Tensor) => Tensor;

/** Of a group of equal blocks but for the stride, which is that of the first. */
export interface BlockPlan {
  readonly count: number;
  readonly kernel: number;
  readonly stride: number;
  /** Channels inside per channel of the input; 1 leaves the first convolution out. */
  readonly expansion: number;
  readonly width: number;
  readonly activation: Activation;
  readonly squeeze?: Squeeze | undefined;
}

/** How channels are weighed. */
export interface Squeeze {
  /** The number of channels in between, for the channels of a block's input and inside. */
  readonly channels: (input: number, inner: number) => number;
  readonly activation: Activation;
  readonly gate: Activation;
}

/** Blocks `blocks.<stage>.<block>`; the last map of each size is the feature `stage1`, …. */
export function invertedResiduals(
  layers: Layers,
  x: Tensor,
  stages: readonly (readonly BlockPlan[])[],
  { features, dropPathRate, others = 0 }: { features: Features; dropPathRate: number; others?: number },
): Tensor {
  const plans = stages.map((stage) =>
    stage.flatMap((plan) =>
      Array.from({ length: plan.count }, (_, i) => ({ ...plan, stride: i > 0 ? 1 : plan.stride })),
    ),
  );
  const total = plans.flat().length + others;
  let [y, index, size] = [x, 0, 0];
  plans.forEach((blocks, stage) => {
    blocks.forEach((plan, block) => {
      if (plan.stride > 1 && index > 0) keepFeature(features, `stage${++size}`, y, y);
      const dropRate = (dropPathRate * index++) / total;
      y = (plan.expansion === 1 ? separable : inverted)(layers, `blocks.${stage}.${block}`, y, plan, dropRate);
    });
  });
  return keepFeature(features, `stage${++size}`, y, y);
}

/** v rounded to a multiple of 8, never by more than a tenth down. */
export function dividedBy8(v: number): number {
  const rounded = Math.max(8, Math.floor((v + 4) / 8) * 8);
  return rounded < 0.9 * v ? rounded + 8 : rounded;
}

/** N(0, 2 / k²) for depthwise convolutions: each output belongs to one channel. */
const heDepthwise: Initializer = (name, shape, seed) =>
  normal(Math.sqrt(2 / (shape[2]! * shape[3]!)))(name, shape, seed);

function separable(layers: Layers, name: string, x: Tensor, plan: BlockPlan, dropRate: number): Tensor {
  const { width, stride, activation } = plan;
  let y = activation(layers.batchNorm(`${name}.bn1`, depthwise(layers, name, x, plan)));
  y = squeezed(layers, name, y, x, plan);
  y = layers.batchNorm(`${name}.bn2`, pointwise(layers, `${name}.conv_pw`, y, width));
  return keepsShape(x, width, stride) ? add(layers.dropPath(`${name}.drop_path`, y, dropRate), x) : y;
}

function inverted(layers: Layers, name: string, x: Tensor, plan: BlockPlan, dropRate: number): Tensor {
  const { width, stride, activation, expansion } = plan;
  const inner = dividedBy8(x.shape[1]! * expansion);
  let y = activation(layers.batchNorm(`${name}.bn1`, pointwise(layers, `${name}.conv_pw`, x, inner)));
  y = activation(layers.batchNorm(`${name}.bn2`, depthwise(layers, name, y, plan)));
  y = squeezed(layers, name, y, x, plan);
  y = layers.batchNorm(`${name}.bn3`, pointwise(layers, `${name}.conv_pwl`, y, width));
  return keepsShape(x, width, stride) ? add(layers.dropPath(`${name}.drop_path`, y, dropRate), x) : y;
}

export function pointwise(layers: Layers, name: string, x: Tensor, width: number): Tensor {
  return layers.conv(name, x, width, { kernel: 1, init: heFanOut });
}

function depthwise(layers: Layers, name: string, x: Tensor, { kernel, stride }: BlockPlan): Tensor {
  const [, width = 0] = x.shape;
  const options = { kernel, stride, padding: (kernel - 1) / 2, groups: width, init: heDepthwise };
  return layers.conv(`${name}.conv_dw`, x, width, options);
}

/** y · gate(W₂ act(W₁ mean(y) + b₁) + b₂), a weight for each channel of each image; y itself without a squeeze. */
function squeezed(layers: Layers, name: string, y: Tensor, x: Tensor, { squeeze }: BlockPlan): Tensor {
  if (!squeeze) return y;
  const [input = 0, inner = 0] = [x.shape[1], y.shape[1]];
  const options = { kernel: 1, bias: constant(0), init: heFanOut };
  const mixed = mean(y, { axes: [2, 3], keepDims: true });
  const few = layers.conv(`${name}.se.conv_reduce`, mixed, squeeze.channels(input, inner), options);
  return mul(y, squeeze.gate(layers.conv(`${name}.se.conv_expand`, squeeze.activation(few), inner, options)));
}

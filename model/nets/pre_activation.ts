/**
 * Pre-activation blocks (He et al. 2016, "Identity mappings in deep residual networks"): BatchNorm and ReLU stand
 * before the convolutions, and sums stay raw. Features of nets of such blocks: `stem.preact`, `stage1.preact`, … are
 * the raw sums, `stem`, `stage1`, … the same after the BatchNorm and ReLU that follow.
 */
import { add, relu } from '../../engine/ops';
import type { Tensor } from '../../engine/tensor';
import type { Layers } from './layers';
import { conv, EXPANSION, forEachBlock, keepFeature, keepsShape, type Features, type Stages } from './residual';

/** The sum of a block, and its input after its first BatchNorm and ReLU. */
interface Passed {
  readonly activated: Tensor;
  readonly sum: Tensor;
}

export type PreActivationBlock = (layers: Layers, name: string, x: Tensor, width: number, stride: number) => Passed;

export interface PreActivationOptions {
  /** Name within the block of the 1×1 convolution used if the shape changes. */
  readonly shortcut: string;
  /** The input of that convolution. */
  readonly shortcutOf: 'activated' | 'raw';
  /** Dropout rate before the last convolution. */
  readonly dropoutRate?: number;
}

/** Two 3×3 convolutions. */
export function basicPreActivation({
  shortcut,
  shortcutOf,
  dropoutRate = 0,
}: PreActivationOptions): PreActivationBlock {
  return (layers, name, x, width, stride) => {
    const activated = relu(layers.batchNorm(`${name}.bn1`, x));
    let y = conv(layers, `${name}.conv1`, activated, width, 3, stride);
    y = layers.dropout(`${name}.dropout`, relu(layers.batchNorm(`${name}.bn2`, y)), dropoutRate);
    y = conv(layers, `${name}.conv2`, y, width, 3);
    const source = shortcutOf === 'raw' ? x : activated;
    const kept = keepsShape(x, width, stride) ? x : conv(layers, `${name}.${shortcut}`, source, width, 1, stride);
    return { activated, sum: add(y, kept) };
  };
}

/** 1×1, 3×3, 1×1 convolution; the stride is that of the middle one. */
export function bottleneckPreActivation({ shortcut, shortcutOf }: PreActivationOptions): PreActivationBlock {
  return (layers, name, x, width, stride) => {
    const out = EXPANSION * width;
    const activated = relu(layers.batchNorm(`${name}.bn1`, x));
    let y = conv(layers, `${name}.conv1`, activated, width, 1);
    y = conv(layers, `${name}.conv2`, relu(layers.batchNorm(`${name}.bn2`, y)), width, 3, stride);
    y = conv(layers, `${name}.conv3`, relu(layers.batchNorm(`${name}.bn3`, y)), out, 1);
    const source = shortcutOf === 'raw' ? x : activated;
    const kept = keepsShape(x, out, stride) ? x : conv(layers, `${name}.${shortcut}`, source, out, 1, stride);
    return { activated, sum: add(y, kept) };
  };
}

export interface PreActivationPlan extends Stages {
  readonly block: PreActivationBlock;
  /** Name of a stage; its blocks have their number behind it. */
  readonly nameOf: (stage: number) => string;
}

/** The stages on the output `x` of the stem: the last raw sum. Records the features of the stem and all stages but the last. */
export function preActivationStages(
  layers: Layers,
  x: Tensor,
  { block: build, nameOf, ...stages }: PreActivationPlan,
  features: Features,
): Tensor {
  let y = x;
  forEachBlock(stages, ({ stage, block, width, stride }) => {
    const { activated, sum } = build(layers, `${nameOf(stage)}.${block}`, y, width, stride);
    if (block === 0) keepFeature(features, stage === 1 ? 'stem' : `stage${stage - 1}`, y, activated);
    y = sum;
  });
  return y;
}

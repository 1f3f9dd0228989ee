/** The keys of params.json, and of a teacher in it, that networks have options by. */
import { belowOne, integer, integers, number, oneOf, type Options } from '../../utils/schema_forms';
import { tokenPoolings, type NetOptions, type TokenPooling } from './net';

/** What the shapes of a network's parameters and maps follow from. */
export interface ArchitectureParams {
  readonly num_channels: number;
  /** Units of each hidden layer of a perceptron. */
  readonly hidden_sizes?: readonly number[];
  readonly patch_size?: number;
  readonly pooling?: TokenPooling;
  readonly stem_stride?: number;
}

export interface NetParams extends ArchitectureParams {
  readonly dropout_rate: number;
  readonly hidden_sizes: readonly number[];
  readonly drop_path_rate?: number;
}

/** Channels or units of a layer; the weights of two that follow each other then take up to 16 GB. */
const MAX_WIDTH = 2 ** 16;

export const netOptions: Options = {
  dropout_rate: number({
    ...belowOne,
    default: 0,
    title: 'Dropout rate of `cnn`, `mlp`, the DenseNets and the wide ResNets.',
  }),
  num_channels: integer({
    minimum: 1,
    maximum: MAX_WIDTH,
    default: 32,
    title: 'Channels of the first layer of `cnn`.',
  }),
  hidden_sizes: integers({
    items: { type: 'integer', minimum: 1, maximum: MAX_WIDTH, description: `an integer from 1 to ${MAX_WIDTH}` },
    maxItems: 100,
    description: `an array of up to 100 integers from 1 to ${MAX_WIDTH}`,
    default: [1200, 1200],
    title: 'Units of the hidden layers of `mlp`.',
  }),
  drop_path_rate: number({
    ...belowOne,
    title:
      'Stochastic depth of the vision transformers, ConvNeXt, EfficientNet, MobileNetV3 and RegNet: the probability that an image skips the last residual branch; earlier ones are skipped less, in proportion to their depth. 0 by default.',
  }),
  patch_size: integer({
    minimum: 1,
    maximum: 1024,
    title: 'Side of the patches of vision transformers; 16 by default, 4 for images of up to 64 × 64.',
  }),
  pooling: oneOf(tokenPoolings, {
    title:
      'What the classifier of `vit_tiny` and `vit_small` sees: the class token (`"token"`, the default) or the mean of the patches (`"mean"`, `global_pool="avg"` of timm).',
  }),
  stem_stride: oneOf([1, 2, 4], {
    title:
      'Stride of the first convolution of EfficientNet, MobileNetV3 and RegNet (2 by default, 1 for images of up to 64 × 64) and of ConvNeXt (4, or 2).',
  }),
};

/** The keys of those whose values change the shapes of a network, or say where its maps are from. */
export const architectureOptions: Options = Object.fromEntries(
  ['num_channels', 'hidden_sizes', 'patch_size', 'pooling', 'stem_stride'].map((key) => [key, netOptions[key]!]),
);

/** These keys alone, as far as they are given. */
export function architectureOf(params: ArchitectureParams): ArchitectureParams {
  const { num_channels, hidden_sizes, patch_size, pooling, stem_stride } = params;
  return {
    num_channels,
    ...(hidden_sizes && { hidden_sizes }),
    ...(patch_size !== undefined && { patch_size }),
    ...(pooling !== undefined && { pooling }),
    ...(stem_stride !== undefined && { stem_stride }),
  };
}

/** The keys by the names that networks read. */
export const netKeys = {
  numChannels: 'num_channels',
  dropoutRate: 'dropout_rate',
  hiddenSizes: 'hidden_sizes',
  patchSize: 'patch_size',
  pooling: 'pooling',
  stemStride: 'stem_stride',
  dropPathRate: 'drop_path_rate',
} as const satisfies Record<keyof Omit<NetOptions, 'classes'>, keyof NetParams>;

/** What a network reads, of a student's or a teacher's keys. */
export function readNetOptions(
  params: ArchitectureParams & Partial<Pick<NetParams, 'dropout_rate' | 'drop_path_rate'>>,
  classes: number,
): NetOptions {
  return {
    classes,
    numChannels: params.num_channels,
    dropoutRate: params.dropout_rate ?? 0,
    hiddenSizes: params.hidden_sizes,
    patchSize: params.patch_size,
    pooling: params.pooling,
    stemStride: params.stem_stride,
    dropPathRate: params.drop_path_rate,
  };
}

/** Side of an image in pixels. */
export const imageSide = (title: string) => integer({ minimum: 1, maximum: 8192, title });

/** The keys of params.json, and of a teacher in it, that networks have options by. */
import { belowOne, integer, integers, number, type Options } from '../../utils/schema_forms';

export interface NetParams {
  readonly num_channels: number;
  readonly dropout_rate: number;
  /** Units of each hidden layer of a perceptron. */
  readonly hidden_sizes: readonly number[];
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
};

/** Side of an image in pixels. */
export const imageSide = (title: string) => integer({ minimum: 1, maximum: 8192, title });

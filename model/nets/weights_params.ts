/** Selects the weights of a file for a network, by `init` and `teacher` of params.json. */
import { globs, MAX_GLOBS, text, type Options } from '../../utils/schema_forms';

export interface WeightsParams {
  /** Path of the state dict in the file, or a prefix of its names; the usual places by default. */
  readonly key?: string;
  /** Parts of names in the file, and what the network calls them. */
  readonly rename?: Readonly<Record<string, string>>;
  /** Globs of the network's parameters that are not loaded from the file but initialized at random. */
  readonly skip?: readonly string[];
}

export const weightsOptions: Options = {
  skip: globs('Globs of parameters that are not loaded from the file but initialized at random.'),
  key: text({
    minLength: 1,
    maxLength: 200,
    description: 'a key such as "model_ema", of 1 to 200 characters',
    title: 'Where the state dict is in the file, or what the names of its tensors begin with.',
  }),
  rename: {
    type: 'object',
    propertyNames: { minLength: 1, maxLength: 200, description: 'parts of names, of 1 to 200 characters' },
    additionalProperties: { type: 'string', maxLength: 200 },
    minProperties: 1,
    maxProperties: MAX_GLOBS,
    description: `an object such as {"shortcut": "downsample"}, of 1 to ${MAX_GLOBS} parts of names`,
    title: 'Parts of names in the file, and what the network calls them.',
  },
};

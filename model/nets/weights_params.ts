/** Which weights of a file a network takes, as `init` and `teacher` of params.json say. */
import { globs, MAX_GLOBS, text, type Options } from '../../utils/schema_forms';

export interface WeightsParams {
  /** Path of the state dict in the file, or what its names begin with; the usual places where absent. */
  readonly key?: string;
  /** Parts of names in the file, and what the network calls them. */
  readonly rename?: Readonly<Record<string, string>>;
  /** Globs of the network's parameters that are not taken from the file: they begin at random. */
  readonly skip?: readonly string[];
}

export const weightsOptions: Options = {
  skip: globs('Globs of parameters that are not taken from the file and start at random.'),
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

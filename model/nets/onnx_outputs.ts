/** What params.json says of the values inside a network from an ONNX file that methods look at. */
import { isObject } from '../../utils/json';
import type { Schema } from '../../utils/schema';
import { integer, object, oneOf, text } from '../../utils/schema_forms';

/** A value by its own name, that of its node or that of its layer; of tokens (N, L, D), also which of them. */
export type NamedOutput =
  | string
  | {
      readonly value: string;
      /** The first token, the mean of those of the patches, or these as a map (N, D, H, W). */
      readonly tokens?: 'class' | 'mean' | 'map';
      /** Tokens before those of the patches; found by the size of the maps where absent. */
      readonly prefix?: number;
      /** Of a map, where its channels are; found where absent. */
      readonly layout?: 'NCHW' | 'NHWC';
    };

/** `pooled`, `stage1`, …, or names of one's own. */
export type NamedOutputs = Readonly<Record<string, NamedOutput>>;

const MAX_OUTPUTS = 64;

const name = text({ minLength: 1, maxLength: 1000 });

const one = (given: unknown): Schema =>
  isObject(given)
    ? object(
        {
          value: { ...name, title: 'The name of a value, a node or a layer.' },
          tokens: oneOf(['class', 'mean', 'map'], {
            title:
              'Of tokens (N, L, D): the class token, which is the first, the mean of those of the patches, or these as a map.',
          }),
          prefix: integer({
            minimum: 0,
            title: 'Tokens before those of the patches; by default what is left of a map or a square of them.',
          }),
          layout: oneOf(['NCHW', 'NHWC'], { title: 'Axes of a map; by default as the nodes before it tell.' }),
        },
        ['value'],
      )
    : { ...name, description: 'the name of a value, a node or a layer, or an object with "value" and "tokens"' };

/** The schema of such outputs in the form that `given` has. */
export function outputsSchema(given: unknown, title: string): Schema {
  const names = isObject(given) ? Object.keys(given) : [];
  return {
    type: 'object',
    propertyNames: {
      pattern: '^(?!logits$)[A-Za-z0-9_]{1,40}$',
      description: 'names such as "pooled" and "stage1": letters, digits and _, but for "logits"',
    },
    properties: Object.fromEntries(names.map((key) => [key, one((given as Record<string, unknown>)[key])])),
    minProperties: 1,
    maxProperties: MAX_OUTPUTS,
    description: 'an object with the names of values, nodes or layers, such as {"pooled": "avgpool"}',
    title,
  };
}

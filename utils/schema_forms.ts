/** Parts that the schemas of several rooms are made of. */
import type { Schema } from './schema';

/** A schema for each option of something, by the option's name. */
export type Options = Readonly<Record<string, Schema>>;

export const integer = (more: Schema): Schema => ({ type: 'integer', ...more });
export const number = (more: Schema): Schema => ({ type: 'number', ...more });
export const text = (more: Schema = {}): Schema => ({ type: 'string', ...more });
export const oneOf = (names: readonly (string | number | boolean)[], more: Schema = {}): Schema => ({
  enum: names,
  ...more,
});

/** An object with these keys and no others. */
export const object = (properties: Options, required: readonly string[], more: Schema = {}): Schema => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
  ...more,
});

/** Integers from 1. */
export const integers = (more: Schema): Schema => ({
  type: 'array',
  items: { type: 'integer', minimum: 1, description: 'an integer from 1' },
  minItems: 1,
  description: 'an array of integers from 1',
  ...more,
});

export const fromZero: Schema = { minimum: 0 };
export const positive: Schema = { exclusiveMinimum: 0 };
/** A share, from none to all of it. */
export const share: Schema = { minimum: 0, maximum: 1 };
/** A share of which there is some. */
export const partOrAll: Schema = { exclusiveMinimum: 0, maximum: 1 };
/** A share that leaves some, on both sides. */
export const part: Schema = { exclusiveMinimum: 0, exclusiveMaximum: 1 };
export const belowOne: Schema = { minimum: 0, exclusiveMaximum: 1 };

/** What `Random` takes. */
const MAX_SEED = 2 ** 32 - 1;
export const seed = (fallback: number, title: string): Schema =>
  integer({ minimum: 0, maximum: MAX_SEED, default: fallback, title });

/** Globs of one key: each is tried on every parameter. */
export const MAX_GLOBS = 200;
export const globs = (title: string): Schema => ({
  type: 'array',
  items: {
    type: 'string',
    minLength: 1,
    maxLength: 200,
    description: 'a glob such as "layer*", of 1 to 200 characters',
  },
  minItems: 1,
  maxItems: MAX_GLOBS,
  description: `an array of 1 to ${MAX_GLOBS} globs such as "layer*"`,
  title,
});

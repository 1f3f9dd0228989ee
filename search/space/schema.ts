/** A search space as JSON schemas: as search.json has it, and as the journal keeps it once it is parsed. */
import { isObject } from '../../utils/json';
import type { Schema } from '../../utils/schema';

/** A key of params.json, also one inside an object, as in `schedule.gamma`. */
export const PATH = '^[A-Za-z][A-Za-z0-9_]*(\\.[A-Za-z0-9][A-Za-z0-9_]*)*$';
const MAX_DIMENSIONS = 100;

const number = { type: 'number' };
const list = { type: 'array', items: {}, minItems: 1, description: 'a list of at least one value' };
const condition = {
  type: 'object',
  additionalProperties: {},
  minProperties: 1,
  title: 'Condition: the dimension exists only if each named dimension has the given value, or one of the given list.',
  description: 'an object with dimensions that stand before, as in {"optimizer": "sgd"}',
};
const range = {
  type: 'object',
  properties: {
    low: number,
    high: number,
    step: { type: 'number', exclusiveMinimum: 0 },
    log: { type: 'boolean', default: false },
    integer: { type: 'boolean', default: false },
    when: condition,
  },
  required: ['low', 'high'],
  additionalProperties: false,
};
const listed = {
  type: 'object',
  properties: { values: list, when: condition },
  required: ['values'],
  additionalProperties: false,
};
const anyDimension = 'a list of values, or an object with "low" and "high" or with "values"';

function dimensionForm(dimension: unknown): Schema {
  if (Array.isArray(dimension)) return list;
  if (!isObject(dimension)) return { not: {}, description: anyDimension };
  return Object.hasOwn(dimension, 'values') ? listed : range;
}

/** The space of one search.json, each dimension in the form that the file uses. */
export function spaceForm(space: unknown): Schema {
  const dimensions = Object.entries(isObject(space) ? space : {});
  return {
    type: 'object',
    properties: Object.fromEntries(dimensions.map(([path, value]) => [path, dimensionForm(value)])),
    minProperties: 1,
    maxProperties: MAX_DIMENSIONS,
    description: `an object with 1 to ${MAX_DIMENSIONS} keys of params.json`,
  };
}

/** The space of every search.json. */
export const anySpace: Schema = {
  type: 'object',
  additionalProperties: { anyOf: [list, listed, range] },
  minProperties: 1,
  maxProperties: MAX_DIMENSIONS,
};

const parsedDimension = (kind: string, own: Schema, optional: Schema = {}): Schema => ({
  type: 'object',
  properties: {
    kind: { const: kind },
    path: { type: 'string', pattern: PATH },
    when: { type: 'object', additionalProperties: { type: 'array' } },
    ...own,
    ...optional,
  },
  required: ['kind', 'path', ...Object.keys(own)],
});

/** A parsed space: its dimensions in their order. */
export const spaceSchema: Schema = {
  type: 'array',
  items: {
    anyOf: [
      parsedDimension('choice', { values: { type: 'array', minItems: 1 } }),
      parsedDimension('range', { low: number, high: number, log: { type: 'boolean' } }, { step: number }),
    ],
  },
};

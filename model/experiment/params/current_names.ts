/** Old names in params.json, in the params of a checkpoint and in those of run.json: each comes to the current one. */
import { currentName, type Aliases } from '../../../utils/aliases';
import { isObject } from '../../../utils/json';
import type { Options } from '../../../utils/schema_forms';
import { augmentationAliases } from '../../data/augmentation/index';
import { distillers, methodAliases } from '../../distillers/index';
import { netAliases } from '../../nets/index';
import { entryOf } from './forms';

/** The names that `model_version` may have, of old. */
export const versionAliases: Aliases = Object.fromEntries(
  ['', '_distill'].flatMap((end) =>
    Object.entries(netAliases).map(([old, { name, origin }]) => [old + end, { name: name + end, origin }]),
  ),
);

/** The same params with current names. What is given stays as it is; keys may have any value at all. */
export function withCurrentNames<T extends object>(params: T): T {
  const changes: Readonly<Record<string, (value: unknown) => unknown>> = {
    model_version: (version) => currentName(version, versionAliases),
    teacher: eachOf('model', netAliases),
    augmentation: eachOf('name', augmentationAliases),
    method: (method) => each(eachOf('name', methodAliases)(method), withCurrentOptions),
  };
  const renamed = Object.entries(params).map(([key, value]) => [key, entryOf(changes, key)?.(value) ?? value] as const);
  return Object.fromEntries(renamed) as T;
}

function each(value: unknown, change: (one: unknown) => unknown): unknown {
  return Array.isArray(value) ? value.map(change) : change(value);
}

/** Changes what is given by its name alone, or in an object that has it under `key`. */
function eachOf(key: string, aliases: Aliases): (value: unknown) => unknown {
  const changed = (one: unknown) =>
    isObject(one) && key in one ? { ...one, [key]: currentName(one[key], aliases) } : currentName(one, aliases);
  return (value) => each(value, changed);
}

/** A method whose options name networks. */
function withCurrentOptions(method: unknown): unknown {
  const options = isObject(method) ? entryOf(distillers, method.name)?.options : undefined;
  if (!isObject(method) || !options) return method;
  return Object.fromEntries(Object.entries(method).map(([key, value]) => [key, currentOption(options, key, value)]));
}

function currentOption(options: Options, key: string, value: unknown): unknown {
  const schema = entryOf(options, key);
  const { aliases = isObject(schema?.items) ? schema.items.aliases : undefined } = schema ?? {};
  return aliases === undefined ? value : each(value, (one) => currentName(one, aliases as Aliases));
}

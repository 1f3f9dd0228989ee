/**
 * Schemas of the keys that have several forms. The form that a file uses is picked here, so that a message is about that form
 * and its defaults can be filled. The options of each form come from its registry.
 */
import type { Aliases } from '../../../utils/aliases';
import { isObject, show } from '../../../utils/json';
import type { Schema } from '../../../utils/schema';
import { object, oneOf, type Options } from '../../../utils/schema_forms';
import type { Dataset } from '../../data/dataset';
import { datasetNames, datasetOptions, datasets, type DatasetEntry } from '../../data/index';
import { netAliases, nets } from '../../nets/index';
import { teachers } from '../../teachers/index';
import { schedules } from '../../training/schedules';
import { trackers } from '../trackers';

type Named = Readonly<Record<string, { readonly options: Options }>>;

/** The entry called `name` of a registry, and nothing that every object has. */
export function entryOf<Entry>(entries: Readonly<Record<string, Entry>>, name: unknown): Entry | undefined {
  return typeof name === 'string' && Object.hasOwn(entries, name) ? entries[name] : undefined;
}

/** Of something with a name and its own options, or of a list of such; `description` says what is accepted. */
export function namedSchema(given: unknown, entries: Named, aliases: Aliases, description: string): Schema {
  const names = Object.keys(entries);
  const one = (value: unknown): Schema => {
    if (!isObject(value)) return oneOf(names, { aliases });
    const own = entryOf(entries, value.name);
    // Where the name is not known, options cannot be told from mistakes.
    return object(
      { name: oneOf(names, { aliases }), ...own?.options },
      ['name'],
      own ? {} : { additionalProperties: true },
    );
  };
  if (!Array.isArray(given)) return one(given);
  if (given.length === 0 || given.length > names.length) {
    return { type: 'array', minItems: 1, maxItems: names.length, description };
  }
  return { type: 'array', items: given.map(one), minItems: given.length, additionalItems: false };
}

/** The data set where params.json names none. */
const standard = 'cifar10';

export function datasetSchema(given: unknown, more: Schema): Schema {
  if (given !== undefined && !isObject(given)) return oneOf(datasetNames, more);
  const { name }: Record<string, unknown> = given ?? { name: standard };
  const entry = entryOf<DatasetEntry<never, Dataset>>(datasets, name);
  const options = entry ? datasetOptions(entry, given ?? {}) : datasetOptions(datasets.shapes, {});
  const required = ['name', ...(entry?.required ?? [])];
  return { ...object({ name: oneOf(datasetNames), ...options }, required), default: { name: standard }, ...more };
}

/** Where the files of a data set are where params.json does not say. */
export function dataDirectory(given: unknown): string {
  const name = isObject(given) ? given.name : given;
  return entryOf<DatasetEntry<never, Dataset>>(datasets, name)?.directory ?? datasets[standard].directory!;
}

const MAX_TEACHERS = 32;

/** Of a teacher, or of a list whose teachers have each their own form. */
export function teacherSchema(given: unknown, more: Schema): Schema {
  const names = Object.keys(nets);
  if (isObject(given)) return { ...oneTeacher(given), ...more };
  if (!Array.isArray(given)) return oneOf(['none', ...names], { aliases: netAliases, default: 'none', ...more });
  if (given.length === 0 || given.length > MAX_TEACHERS) {
    const description = `a list of 1 to ${MAX_TEACHERS} teachers`;
    return { type: 'array', minItems: 1, maxItems: MAX_TEACHERS, description, ...more };
  }
  const items = given.map((one) => (isObject(one) ? oneTeacher(one) : oneOf(names, { aliases: netAliases })));
  return { type: 'array', items, minItems: items.length, additionalItems: false, ...more };
}

/** The kind of a teacher is told by the one key that all of a kind have. */
function oneTeacher(given: Record<string, unknown>): Schema {
  const keys = Object.keys(teachers);
  const [key, ...others] = keys.filter((name) => Object.hasOwn(given, name));
  const entry = entryOf(teachers, key);
  if (entry && others.length === 0) return object(entry.options(given), [key!]);
  return { not: {}, description: `an object with one of the keys ${keys.map(show).join(', ')}` };
}

/** Of a list of trackers, which may be empty. */
export function trackersSchema(given: unknown, title: string): Schema {
  const description = '["tensorboard"], ["mlflow"], both or []';
  const isList = Array.isArray(given) && given.length > 0;
  return { ...(isList ? namedSchema(given, trackers, {}, description) : { type: 'array', description }), title };
}

/** Of a schedule for a run whose `learning_rate` is `base`. */
export function scheduleSchema(given: unknown, base: unknown, more: Schema): Schema {
  const entry = isObject(given) ? entryOf(schedules, given.type) : undefined;
  const options = entry?.options(Number.isFinite(base) ? Number(base) : Infinity) ?? {};
  const needed = Object.keys(options).filter((key) => options[key]!.default === undefined);
  return object({ type: oneOf(Object.keys(schedules)), ...options }, ['type', ...needed], more);
}

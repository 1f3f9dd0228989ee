/**
 * The JSON schema of every params.json, for editors: schema.ts makes one for a given file, in which each key has the form that
 * the file uses; here each key has all its forms. schemas/params.schema.json holds it.
 */
import { formerNames, type Aliases } from '../../../utils/aliases';
import { isObject } from '../../../utils/json';
import type { Schema } from '../../../utils/schema';
import { number, object, part, positive, type Options } from '../../../utils/schema_forms';
import { augmentationAliases, augmentations } from '../../data/augmentation/index';
import { datasetNames } from '../../data/index';
import { distillers, methodAliases } from '../../distillers/index';
import { netAliases, nets } from '../../nets/index';
import { teachers } from '../../teachers/index';
import { schedules } from '../../training/schedules';
import { trackers } from '../trackers';
import { versionAliases } from './current_names';
import { paramsSchema } from './schema';

const propertiesOf = (schema: Schema) => schema.properties as Options;

/** The schema of a key in the form that `value` has, or in that where it is missing. */
const formOf = (key: string, value?: unknown) =>
  propertiesOf(paramsSchema(value === undefined ? {} : { [key]: value }))[key]!;

/** One value of each form that an option of an object may have, where the schema of the object goes by the value. */
const valuesOfOptions = { labels: ['', [''], { file: '' }, false], classes: ['', [0]] } as const;

/** The schema of an object in which each option has all its forms. */
function wholeForm(schemaOf: (value: object) => Schema, value: object): Schema {
  const form = schemaOf(value);
  const own = propertiesOf(form);
  const several = Object.entries(valuesOfOptions).flatMap(([option, values]) => {
    if (!Object.hasOwn(own, option)) return [];
    const anyOf = values.map((one) => propertiesOf(schemaOf({ ...value, [option]: one }))[option]!);
    const { title, description } = own[option]!;
    return new Set(anyOf.map((one) => JSON.stringify(one))).size === 1 ? [] : [[option, { anyOf, title, description }]];
  });
  return { ...form, properties: { ...own, ...(Object.fromEntries(several) as Options) } };
}

const path = (pattern: string, description: string): Schema => ({ type: 'string', pattern, description });

/** Objects with one name each, whose options are of that name. */
function objects(key: string, names: readonly string[], aliases: Aliases = {}, tag = 'name'): Schema[] {
  const isList = ['augmentation', 'trackers'].includes(key);
  const schemaOf = (value: object) => {
    const form = formOf(key, isList ? [value] : value);
    return Array.isArray(form.items) ? (form.items as Schema[])[0]! : form;
  };
  return names.map((name) => {
    // Images of the smallest size may be resized to any other before they are cropped.
    const { properties, required } = wholeForm(schemaOf, { [tag]: name, ...(key === 'dataset' && { size: 8 }) });
    const own = { ...(properties as Options), [tag]: { enum: [name], aliases } };
    return object(own, required as string[]);
  });
}

const oneOrMore = (forms: readonly Schema[]): Schema[] => [
  ...forms,
  { type: 'array', items: { anyOf: forms }, minItems: 1 },
];

/** An object one of whose keys may also be a path. */
function orPath(form: Schema, key: string, own: Schema): Schema {
  const { [key]: schema, ...others } = propertiesOf(form);
  return schema === undefined ? form : { ...form, properties: { [key]: { anyOf: [schema, own] }, ...others } };
}

/** The forms of the keys that have several. */
function forms(): Record<string, Schema[]> {
  const [names, methods] = [Object.keys(nets), Object.keys(distillers)];
  const kinds = Object.keys(teachers);
  const onnx = path('\\.onnx$', 'the path of an ONNX file');
  const module = path('\\.[cm]?[jt]s$', 'the path of a module');
  const ownMethod = object({ name: module }, ['name'], { additionalProperties: true });
  return {
    model_version: [
      { enum: names.flatMap((name) => [name, `${name}_distill`]), aliases: versionAliases },
      onnx,
      module,
    ],
    method: oneOrMore([
      { enum: methods, aliases: methodAliases },
      module,
      ...objects('method', methods, methodAliases),
      ownMethod,
    ]),
    teacher: [
      { enum: ['none'] },
      ...oneOrMore([
        { enum: names, aliases: netAliases },
        ...kinds.map((kind) =>
          orPath(
            wholeForm((value) => formOf('teacher', value), { [kind]: '' }),
            'model',
            module,
          ),
        ),
      ]),
    ],
    dataset: [{ enum: datasetNames }, ...objects('dataset', datasetNames)],
    augmentation: [
      { enum: ['yes', 'no'] },
      {
        type: 'array',
        items: {
          anyOf: [
            { enum: Object.keys(augmentations), aliases: augmentationAliases },
            ...objects('augmentation', Object.keys(augmentations), augmentationAliases),
          ],
        },
        minItems: 1,
      },
    ],
    trackers: [
      {
        type: 'array',
        items: { anyOf: [{ enum: Object.keys(trackers) }, ...objects('trackers', Object.keys(trackers))] },
      },
    ],
    schedule: objects('schedule', Object.keys(schedules), {}, 'type'),
    validation: [{ enum: ['val', 'test'] }, number(part)],
    class_weights: [{ enum: ['balanced'] }, { type: 'array', items: number(positive), minItems: 1 }],
  };
}

/** The schema for editors, in which `title` says what a key is, and `description` what it accepts. */
export function paramsEditorSchema(): Schema {
  const { properties, required } = paramsSchema() as { properties: Options; required: string[] };
  const several = forms();
  const keys = Object.entries(properties).map(([key, schema]) => {
    if (!Object.hasOwn(several, key)) return [key, schema] as const;
    const { title, default: fallback, description } = schema;
    return [key, { anyOf: several[key], title, description, default: shortest(fallback) }] as const;
  });
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'params.json: one experiment',
    ...object(
      {
        $schema: { type: 'string', title: 'Path of this schema, for editors.' },
        ...(forEditors(Object.fromEntries(keys)) as Options),
      },
      required,
    ),
  };
}

/** What is given by its name alone in the short form. */
function shortest(value: unknown): unknown {
  return isObject(value) && Object.keys(value).length === 1 ? value.name : value;
}

/** Old names by the words of JSON schemas: an editor accepts them and does not propose them. */
function forEditors(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(forEditors);
  if (!isObject(value)) return value;
  const { aliases, enum: names, ...rest } = value;
  const others = Object.fromEntries(Object.entries(rest).map(([key, inner]) => [key, forEditors(inner)]));
  if (!Array.isArray(names)) return others;
  const old = (names as string[]).flatMap((name) => formerNames(name, (aliases ?? {}) as Aliases));
  if (old.length === 0) return { enum: names, ...others };
  // A pattern, as editors propose what an enum lists.
  return { ...others, anyOf: [{ enum: names }, { type: 'string', pattern: `^(${old.join('|')})$` }] };
}

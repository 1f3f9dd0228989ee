/** docs/params.md: every key of params.json, from the JSON schemas that check it. `npm run docs` writes it. */
import { optimizers } from '../engine/optimizers';
import { datasetNames } from '../model/data';
import { augmentationAliases, augmentations } from '../model/data/augmentation';
import { distillers, methodAliases } from '../model/distillers';
import { paramsSchema } from '../model/experiment/params';
import { trackers } from '../model/experiment/trackers';
import { netAliases } from '../model/nets';
import { teachers } from '../model/teachers';
import { schedules } from '../model/training/schedules';
import type { Aliases } from '../utils/aliases';
import { isObject } from '../utils/json';
import type { Schema } from '../utils/schema';

/** Keys that are options of some optimizer. */
const optimizerOptions = new Set(Object.values(optimizers).flatMap(({ options }) => Object.keys(options)));

/** Keys by what they are about, in the order of the page. */
const sections: Readonly<Record<string, readonly string[]>> = {
  'Student and method': [
    'model_version',
    'model_weights',
    'model_options',
    'model_outputs',
    'method',
    'teacher',
    'teacher_views',
    'teacher_cache_gigabytes',
    'teacher_precision',
    'teacher_agreement',
    'alpha',
    'temperature',
    'kl_reduction',
    'num_channels',
    'hidden_sizes',
    'dropout_rate',
    'drop_path_rate',
    'patch_size',
    'pooling',
    'stem_stride',
  ],
  Data: [
    'dataset',
    'data_dir',
    'augmentation',
    'normalize',
    'subset_percent',
    'validation',
    'sampling',
    'label_noise',
    'num_workers',
  ],
  Training: [
    'num_epochs',
    'batch_size',
    'accumulate',
    'optimizer',
    'learning_rate',
    'schedule',
    ...optimizerOptions,
    'weight_decay',
    'clip_norm',
    'class_weights',
    'label_smoothing',
    'ema',
    'early_stopping',
    'on_nan',
    'seed',
  ],
  'Transfer learning': ['init', 'freeze', 'freeze_batch_norm', 'learning_rates'],
  'Machine and files': ['device', 'precision', 'threads', 'checkpoint_every', 'save_summary_steps', 'trackers'],
};

/** Pages and sections that say more about a key. */
const more: Readonly<Record<string, string>> = {
  model_version: '[Students](students.md)',
  method: '[Methods](methods.md), [options](#options-of-methods)',
  teacher: '[Teachers](teachers.md), [keys](#teachers)',
  teacher_views: '[Teachers](teachers.md#outputs-are-computed-once)',
  teacher_cache_gigabytes: '[Teachers](teachers.md#outputs-are-computed-once)',
  teacher_precision: '[Teachers](teachers.md#8-bit-integers)',
  teacher_agreement: '[Teachers](teachers.md#8-bit-integers)',
  alpha: '[Loss](training.md#loss)',
  kl_reduction: '[Loss](training.md#loss)',
  class_weights: '[Loss](training.md#loss)',
  label_smoothing: '[Loss](training.md#loss)',
  dataset: '[Data](data.md), [options](#data-sets)',
  data_dir: '[Data](data.md)',
  subset_percent: '[Data](training.md#data)',
  validation: '[Data](training.md#data)',
  sampling: '[Data](training.md#data)',
  label_noise: '[Data](training.md#data)',
  num_workers: '[Data](training.md#data)',
  batch_size: '[Data](training.md#data)',
  augmentation: '[Augmentation](training.md#augmentation), [options](#augmentations)',
  normalize: '[Normalization](training.md#normalization), [keys](#keys-of-objects)',
  accumulate: '[Gradients](training.md#gradients-and-weights)',
  clip_norm: '[Gradients](training.md#gradients-and-weights)',
  ema: '[Weights](training.md#gradients-and-weights)',
  on_nan: '[Numbers](reliability.md#numbers)',
  optimizer: '[Recipes](training.md#gradients-and-weights)',
  weight_decay: '[Recipes](training.md#gradients-and-weights)',
  schedule: '[Schedule](training.md#schedule), [types](#schedules)',
  early_stopping: '[Ending](training.md#ending-and-saving), [keys](#keys-of-objects)',
  checkpoint_every: '[Saving](training.md#ending-and-saving)',
  num_epochs: '[Ending](training.md#ending-and-saving)',
  init: '[Transfer learning](transfer.md), [keys](#keys-of-objects)',
  freeze: '[Globs](transfer.md#globs)',
  freeze_batch_norm: '[Transfer learning](transfer.md)',
  learning_rates: '[Transfer learning](transfer.md)',
  device: '[Devices](devices.md)',
  precision: '[float16](devices.md#float16)',
  threads: '[Threads](training.md#threads)',
  trackers: '[Beside other tools](ecosystem.md), [options](#trackers)',
};

const propertiesOf = (schema: Schema) => (schema.properties ?? {}) as Readonly<Record<string, Schema>>;

/** The schema of one key in the form that `value` has. */
const formOf = (key: string, value: unknown) => propertiesOf(paramsSchema({ [key]: value }))[key]!;

export function paramsPage(): string {
  const schema = paramsSchema();
  const keys = propertiesOf(schema);
  const required = schema.required as string[];
  const listed = Object.values(sections).flat();
  const others = Object.keys(keys).filter((key) => !listed.includes(key));
  const all = others.length > 0 ? { ...sections, Others: others } : sections;
  const tables = Object.entries(all).map(([title, names]) => {
    const known = names.filter((name) => name in keys);
    const rows = known.map((key) =>
      row(`<a id="${key}"></a>\`${key}\``, keys[key]!, required.includes(key), more[key]),
    );
    return `## ${title}\n\n${HEAD}${rows.join('')}`;
  });
  return [INTRODUCTION, ...tables, ...forms()].join('\n');
}

const INTRODUCTION = `# params.json

<!-- \`npm run docs\` writes this page from the schemas in model/. -->

\`\`\`json
{
    "model_version": "cnn_distill",
    "teacher": { "model": "resnet20", "checkpoint": "experiments/quickstart/teacher/best.safetensors" },
    "method": "kd", "alpha": 0.9, "temperature": 4,
    "dataset": { "name": "shapes", "train": 2000, "test": 2000, "seed": 0 },
    "learning_rate": 0.001, "num_epochs": 20
}
\`\`\`

A key that is not required may be left out. A wrong key, value or file ends the command with one line that says what is wrong and what
is accepted, before anything is written.
`;

const HEAD = '| key | accepted | default | meaning |\n| --- | --- | --- | --- |\n';

function row(key: string, schema: Schema, isRequired: boolean, link?: string): string {
  const { default: fallback, title } = schema;
  const byDefault = isRequired ? 'required' : fallback === undefined ? '' : code(fallback);
  const meaning = [sentence(title), link && `${link}.`].filter(Boolean).join(' ');
  return `| ${key} | ${accepted(schema)} | ${byDefault} | ${meaning} |\n`;
}

/** A title; one that begins like a sentence ends like one. */
function sentence(title: unknown): string {
  if (typeof title !== 'string') return '';
  const text = escaped(title);
  return /^[A-Z`].*[^.!?]$/.test(text) ? `${text}.` : text;
}

const escaped = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

const code = (value: unknown) => `\`${escaped(JSON.stringify(value).replaceAll(',', ', ').replaceAll(':', ': '))}\``;

/** So many accepted names are listed in full. */
const FEW = 8;

/** What a schema accepts, in words. */
function accepted(schema: Schema): string {
  const { description, type, minimum, exclusiveMinimum, maximum, exclusiveMaximum, items } = schema;
  if (typeof description === 'string') return escaped(description);
  if (Array.isArray(schema.enum)) {
    const values = schema.enum.map(code);
    return values.length > FEW ? `a name, such as ${values[0]!}` : values.join(', ');
  }
  if (type === 'object') return 'an object';
  if (type === 'boolean') return '`true`, `false`';
  if (type === 'string') return 'a string';
  if (type === 'array') return isObject(items) ? `an array, each ${accepted(items)}` : 'an array';
  const bounds = [
    typeof minimum === 'number' && `≥ ${minimum}`,
    typeof exclusiveMinimum === 'number' && `> ${exclusiveMinimum}`,
    typeof maximum === 'number' && `≤ ${maximum}`,
    typeof exclusiveMaximum === 'number' && `< ${exclusiveMaximum}`,
  ].filter((bound) => bound !== false);
  return [String(type), bounds.join(', ')].join(' ').trim();
}

/** An option of some of several things that have a name. */
interface Option {
  readonly of: string[];
  readonly key: string;
  readonly schema: Schema;
  readonly isRequired: boolean;
}

/** A table of the options of things by their names; what is the same for several of them is one row. */
function optionsTable(what: string, schemas: Readonly<Record<string, Schema>>, name: string): string {
  const rows = new Map<string, Option>();
  for (const [owner, schema] of Object.entries(schemas)) {
    for (const [key, own] of Object.entries(propertiesOf(schema))) {
      if (key === name) continue;
      const isRequired = ((schema.required ?? []) as string[]).includes(key);
      const same = JSON.stringify([key, own, isRequired]);
      const found = rows.get(same);
      if (found) found.of.push(owner);
      else rows.set(same, { of: [owner], key, schema: own, isRequired });
    }
  }
  const lines = [...rows.values()].map(({ of, key, schema, isRequired }) => {
    const owners = of.map((one) => `\`${one}\``).join(', ');
    return `| ${owners} ${row(`\`${key}\``, schema, isRequired)}`;
  });
  return `| ${what} ${HEAD.replace('\n', '\n| --- ')}${lines.join('')}`;
}

/** A schema for the options alone. */
const ofOptions = (options: Readonly<Record<string, Schema>>): Schema => ({ properties: options });

function aliasRows(what: string, aliases: Aliases): string[] {
  return Object.entries(aliases).map(
    ([old, { name, origin }]) => `| ${what} | \`${old}\` | \`${name}\` | ${origin} |\n`,
  );
}

/** The sections on keys that have forms of their own. */
function forms(): string[] {
  const datasets = Object.fromEntries(datasetNames.map((name) => [name, formOf('dataset', { name })]));
  const types = Object.keys(schedules);
  const scheduleForms = Object.fromEntries(types.map((type) => [type, formOf('schedule', { type })]));
  const teacherForms = Object.fromEntries(Object.keys(teachers).map((key) => [key, formOf('teacher', { [key]: '' })]));
  const objects = Object.fromEntries(['init', 'normalize', 'early_stopping'].map((key) => [key, formOf(key, {})]));
  const plain = (names: string[], schemas: Readonly<Record<string, Schema>>, name: string) =>
    names
      .filter((one) => Object.keys(propertiesOf(schemas[one]!)).every((key) => key === name))
      .map((one) => `\`${one}\``);
  const augmentationForms = Object.fromEntries(
    Object.entries(augmentations).map(([name, { options }]) => [name, ofOptions(options)]),
  );
  const methods = Object.fromEntries(
    Object.entries(distillers).map(([name, { options }]) => [name, ofOptions(options)]),
  );
  return [
    `## Data sets

\`"dataset": "cifar10"\`, or with options: \`"dataset": { "name": "cifar100", "labels": "coarse" }\`. Without options:
${plain([...datasetNames], datasets, 'name').join(', ')}.

${optionsTable('data set', datasets, 'name')}`,
    `## Teachers

\`"teacher"\` is \`"none"\` (the default), the name of a network, or an object: with \`model\` for a network with a checkpoint, with \`onnx\`
for an ONNX file, with \`logits\` for logits that were computed before.

${optionsTable('teacher with', teacherForms, '')}`,
    `## Schedules

\`"schedule": { "type": "multistep", "milestones": [100, 150], "gamma": 0.1 }\`. Without options: ${plain(types, scheduleForms, 'type').join(', ')}.

${optionsTable('type', scheduleForms, 'type')}`,
    `## Augmentations

\`"augmentation": ["crop", "flip", { "name": "cutout", "length": 16 }]\` applies them in this order.

| augmentation | what it does |
| --- | --- |
${Object.entries(augmentations)
  .map(([name, { title }]) => `| \`${name}\` | ${sentence(title)} |\n`)
  .join('')}
${optionsTable('augmentation', augmentationForms, 'name')}`,
    `## Trackers

\`"trackers": ["tensorboard", { "name": "mlflow", "directory": "mlruns" }]\`

${optionsTable('tracker', Object.fromEntries(Object.entries(trackers).map(([name, { options }]) => [name, ofOptions(options)])), 'name')}`,
    `## Keys of objects

${optionsTable('object', objects, '')}`,
    `## Options of methods

\`"method": { "name": "at", "weight": 500 }\`. Without options: ${plain(Object.keys(methods), methods, '').join(', ')}.

${optionsTable('method', methods, 'name')}`,
    `## Old names

Names of earlier versions are accepted wherever today's are. A run that began under one resumes to the bit.

| what | old name | today | origin of the old name |
| --- | --- | --- | --- |
${Object.entries({ network: netAliases, method: methodAliases, augmentation: augmentationAliases })
  .flatMap(([what, aliases]) => aliasRows(what, aliases))
  .join('')}`,
  ];
}

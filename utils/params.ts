/** params.json: the settings of one experiment, what each accepts and what it is where the file leaves it out. */
import { existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { UserError } from './errors';
import { readJson } from './files';
import { mistakes, show, type Schema } from './schema';

export type Schedule = { type: 'step'; step_size: number; gamma: number } | { type: 'constant' };

/** The images: a set that is read from files, or a generated one of a given size. */
export type DatasetParams = { name: 'cifar10' } | { name: 'shapes'; train: number; test: number; seed: number };

export interface TeacherParams {
  /** A net. */
  model: string;
  /** Path of its weights; the best ones of experiments/base_<model> where absent. */
  checkpoint?: string;
  /** Statistics of the pixels that the teacher was trained with, a value per channel; the student's where absent. */
  normalize?: { mean: [number, number, number]; std: [number, number, number] };
  num_channels: number;
}

/** Every key of params.json, filled. */
export interface Params {
  /** `<net>` or `<net>_distill`. */
  model_version: string;
  method: string;
  dataset: DatasetParams;
  data_dir: string;
  /** Part of the training set that is used, in (0, 1]. */
  subset_percent: number;
  augmentation: 'yes' | 'no';
  /** Part of the training set that is held out to choose the best epoch on, in (0, 1); or the test set itself. */
  validation: number | 'test';
  teacher: 'none' | TeacherParams;
  /** Weight of the soft term; the hard term has 1 − alpha. */
  alpha: number;
  temperature: number;
  kl_reduction: 'batchmean' | 'mean';
  learning_rate: number;
  batch_size: number;
  num_epochs: number;
  dropout_rate: number;
  num_channels: number;
  save_summary_steps: number;
  num_workers: number;
  optimizer: 'adam' | 'sgd';
  momentum: number;
  nesterov: boolean;
  weight_decay: number;
  schedule: Schedule;
  seed: number;
  /** Threads of a training step; 0: one per core. */
  threads: number;
}

/** What a net is trained with where params.json does not say. */
export type NetDefaults = Pick<Params, 'optimizer' | 'weight_decay' | 'schedule'>;

/** The names that params.json may use. */
export interface Catalogue {
  nets: Record<string, NetDefaults>;
  methods: readonly string[];
  datasets: readonly string[];
}

/** Reads and checks an experiment's params.json. Throws a UserError with a line for every mistake. */
export function readParams(path: string, catalogue: Catalogue): Params {
  const directory = dirname(path);
  if (!existsSync(directory)) throw new UserError(`${directory}: no such directory`);
  if (!statSync(directory).isDirectory()) throw new UserError(`${directory}: not a directory`);
  if (!existsSync(path)) {
    const example = '{"model_version": "cnn", "learning_rate": 0.001, "num_epochs": 30}';
    throw new UserError(`${path}: no such file; write one, for example ${example}`);
  }
  return parseParams(readJson(path), path, catalogue);
}

/** Checks the content of a params.json, which stays as it is; `source` names it in the lines of the UserError. */
export function parseParams(content: unknown, source: string, catalogue: Catalogue): Params {
  const fail = (lines: string[]) => new UserError(lines.map((line) => `${source}: ${line}`).join('\n'));
  if (!isObject(content)) throw fail(mistakes({ type: 'object' }, content));
  const file = { ...content, ...expanded(content, catalogue) };
  const lines = mistakes(schemaFor(file, catalogue), file);
  const { method, teacher } = file as Record<string, unknown>;
  if (teacher === 'none' && catalogue.methods.some((name) => name === method && name !== 'nokd')) {
    lines.push(`"teacher" must name a net where "method" is ${show(method)}, got "none"`);
  }
  if (lines.length > 0) throw fail(lines);
  // Dropout does nothing in a net that is only evaluated.
  if (isObject(teacher)) delete teacher.dropout_rate;
  return file as unknown as Params;
}

/** The net of `model_version`: what stands before `_distill`. */
export function netOf(params: Pick<Params, 'model_version'>): string {
  return params.model_version.replace(/_distill$/, '');
}

/** Keys whose values differ, sorted; a key inside an object as `schedule.gamma`. */
export function changedKeys(before: Params, after: Params): string[] {
  return differences(before, after).sort();
}

function differences(before: unknown, after: unknown, path = ''): string[] {
  if (!isComposite(before) || !isComposite(after)) return before === after ? [] : [path];
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].flatMap((key) => differences(before[key], after[key], path === '' ? key : `${path}.${key}`));
}

function isComposite(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return isComposite(value) && !Array.isArray(value);
}

/** The long form of a dataset or teacher that is given by its name. */
function expanded(file: Record<string, unknown>, { nets, datasets }: Catalogue): Record<string, unknown> {
  const { dataset, teacher } = file;
  const long: Record<string, unknown> = {};
  if (isObject(dataset)) long.dataset = { ...dataset };
  else if (typeof dataset === 'string' && datasets.includes(dataset)) long.dataset = { name: dataset };
  if (isObject(teacher)) long.teacher = { ...teacher };
  else if (typeof teacher === 'string' && Object.hasOwn(nets, teacher)) long.teacher = { model: teacher };
  return long;
}

const oneOf = (names: readonly string[], fallback?: string): Schema => ({ enum: names, default: fallback });
const integer = (minimum: number, fallback?: number): Schema => ({ type: 'integer', minimum, default: fallback });
const number = (range: Schema, fallback?: number): Schema => ({ type: 'number', ...range, default: fallback });
const object = (properties: Schema, required: string[]): Schema => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
});

const fromZero = { minimum: 0 };
const positive = { exclusiveMinimum: 0 };
const partOrAll = { exclusiveMinimum: 0, maximum: 1 };
const belowOne = { minimum: 0, exclusiveMaximum: 1 };

/**
 * The schema for one file. Where a key has several forms, the form that the file uses is picked here, so that a
 * message is about that form and defaults can be filled inside it.
 */
function schemaFor(file: Record<string, unknown>, { nets, methods, datasets }: Catalogue): Schema {
  const names = Object.keys(nets);
  const version = typeof file.model_version === 'string' ? file.model_version : '';
  const net = netOf({ model_version: version });
  const defaults = Object.hasOwn(nets, net) ? nets[net] : undefined;
  const properties = {
    model_version: oneOf(names.flatMap((name) => [name, `${name}_distill`])),
    method: oneOf(methods, version.includes('distill') ? 'kd' : 'nokd'),
    dataset: datasetSchema(file.dataset, datasets),
    data_dir: { type: 'string', default: 'data/cifar-10-batches-bin' },
    subset_percent: number(partOrAll, 1),
    augmentation: oneOf(['yes', 'no'], 'yes'),
    validation: {
      ...(typeof file.validation === 'string' ? oneOf(['test']) : number({ ...positive, exclusiveMaximum: 1 })),
      description: '"test" or a number between 0 and 1, both excluded',
      default: 0.1,
    },
    teacher: teacherSchema(file.teacher, names),
    alpha: number({ minimum: 0, maximum: 1 }, 0.9),
    temperature: number(positive, 4),
    kl_reduction: oneOf(['batchmean', 'mean'], 'batchmean'),
    learning_rate: number(positive),
    batch_size: integer(1, 128),
    num_epochs: integer(1),
    dropout_rate: number(belowOne, 0),
    num_channels: integer(1, 32),
    save_summary_steps: integer(1, 100),
    num_workers: integer(0, 4),
    optimizer: oneOf(['adam', 'sgd'], defaults?.optimizer),
    momentum: number(belowOne, 0.9),
    nesterov: { type: 'boolean', default: false },
    weight_decay: number(fromZero, defaults?.weight_decay),
    schedule: { ...scheduleSchema(file.schedule ?? defaults?.schedule), default: defaults?.schedule },
    seed: { ...integer(0, 230), maximum: 2 ** 32 - 1 },
    threads: integer(0, 0),
  };
  return object(properties, ['model_version', 'learning_rate', 'num_epochs']);
}

function datasetSchema(dataset: unknown, datasets: readonly string[]): Schema {
  if (dataset !== undefined && !isObject(dataset)) return oneOf(datasets);
  const standard = { name: 'cifar10' };
  const { name } = dataset ?? standard;
  const isFromFiles = name !== 'shapes' && datasets.some((known) => known === name);
  const sizes = { train: integer(1, 20000), test: integer(1, 2000), seed: integer(0, 0) };
  return { ...object({ name: oneOf(datasets), ...(isFromFiles ? {} : sizes) }, ['name']), default: standard };
}

function teacherSchema(teacher: unknown, nets: readonly string[]): Schema {
  if (!isObject(teacher)) return oneOf(['none', ...nets], 'none');
  const perChannel = (range: Schema): Schema => ({
    type: 'array',
    items: number(range),
    minItems: 3,
    maxItems: 3,
    description: 'an array of 3 numbers',
  });
  const normalize = object({ mean: perChannel({}), std: perChannel(positive) }, ['mean', 'std']);
  const properties = {
    model: oneOf(nets),
    checkpoint: { type: 'string' },
    normalize,
    num_channels: integer(1, 32),
    dropout_rate: number(belowOne),
  };
  return object(properties, ['model']);
}

function scheduleSchema(schedule: unknown): Schema {
  const type = oneOf(['step', 'constant']);
  if (!isObject(schedule) || schedule.type !== 'step') return object({ type }, ['type']);
  return object({ type, step_size: integer(1), gamma: number(partOrAll) }, ['type', 'step_size', 'gamma']);
}

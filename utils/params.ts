/** params.json: the settings of one experiment, what each accepts and what it is where the file leaves it out. */
import { existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { UserError } from './errors';
import { readJson } from './files';
import { mistakes, show, type Schema } from './schema';

export type Schedule = { type: 'step'; step_size: number; gamma: number } | { type: 'constant' };

/** The images: a set that is read from files, or a generated one of a given size. */
export type DatasetParams = { name: 'cifar10' } | { name: 'shapes'; train: number; test: number; seed: number };

/** Statistics of the pixels, in [0, 1], that a teacher was trained with, a value per channel. */
export type NormalizeParams = { mean: [number, number, number]; std: [number, number, number] };

/** A net with a checkpoint. */
export interface CheckpointTeacherParams {
  model: string;
  /** Path of its weights; the best ones of experiments/base_<model> where absent. */
  checkpoint?: string;
  /** The student's where absent. */
  normalize?: NormalizeParams;
  num_channels: number;
  /** 1200 and 1200 where absent. */
  hidden_sizes?: number[];
}

/** Any classifier in an ONNX file. */
export interface OnnxTeacherParams {
  /** Path of the file. */
  onnx: string;
  /** The order of its input's axes. */
  layout: 'NCHW' | 'NHWC';
  /** Side of its images in pixels; where absent the size that the model fixes, or else that of the data set. */
  size?: number;
  /** The student's where absent. */
  normalize?: NormalizeParams;
  output: 'logits' | 'probabilities';
}

/** Logits that were computed before. */
export interface CachedTeacherParams {
  /** Path of a .npy file with a row for each training image. */
  logits: string;
}

export type TeacherParams = CheckpointTeacherParams | OnnxTeacherParams | CachedTeacherParams;

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
  /** One teacher, or several whose logits are averaged. */
  teacher: 'none' | TeacherParams | TeacherParams[];
  /** Weight of the soft term; the hard term has 1 − alpha. */
  alpha: number;
  temperature: number;
  kl_reduction: 'batchmean' | 'mean';
  learning_rate: number;
  batch_size: number;
  num_epochs: number;
  dropout_rate: number;
  num_channels: number;
  /** Units of each hidden layer of a perceptron. */
  hidden_sizes: number[];
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
  const { method, teacher, augmentation } = file as Record<string, unknown>;
  const isTaught = catalogue.methods.some((name) => name === method && name !== 'nokd');
  if (teacher === 'none' && isTaught) {
    lines.push(`"teacher" must name a net where "method" is ${show(method)}, got "none"`);
  }
  const teachers = (Array.isArray(teacher) ? teacher : [teacher]).filter(isObject);
  if (isTaught && augmentation !== 'no' && teachers.some((one) => 'logits' in one)) {
    const reason = 'cached logits, which do not follow a crop or a flip';
    lines.push(`"augmentation" must be "no" where "teacher" has ${reason}, got ${show(augmentation)}`);
  }
  if (lines.length > 0) throw fail(lines);
  // Dropout does nothing in a net that is only evaluated.
  for (const one of teachers) delete one.dropout_rate;
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
  const longTeacher = (value: unknown): unknown => {
    if (isObject(value)) return { ...value };
    return typeof value === 'string' && Object.hasOwn(nets, value) ? { model: value } : value;
  };
  if (isObject(dataset)) long.dataset = { ...dataset };
  else if (typeof dataset === 'string' && datasets.includes(dataset)) long.dataset = { name: dataset };
  if (teacher !== undefined) long.teacher = Array.isArray(teacher) ? teacher.map(longTeacher) : longTeacher(teacher);
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
const hiddenSizes = (fallback?: number[]): Schema => ({
  type: 'array',
  items: { type: 'integer', minimum: 1, description: 'an integer from 1' },
  minItems: 1,
  description: 'an array of integers from 1',
  default: fallback,
});

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
    hidden_sizes: hiddenSizes([1200, 1200]),
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

const MAX_TEACHERS = 32;

/** The schema of a teacher, or of a list whose teachers have each their own form. */
function teacherSchema(teacher: unknown, nets: readonly string[]): Schema {
  if (!Array.isArray(teacher)) return isObject(teacher) ? oneTeacher(teacher, nets) : oneOf(['none', ...nets], 'none');
  if (teacher.length === 0 || teacher.length > MAX_TEACHERS) {
    return {
      type: 'array',
      minItems: 1,
      maxItems: MAX_TEACHERS,
      description: `a list of 1 to ${MAX_TEACHERS} teachers`,
    };
  }
  const items = teacher.map((one) => (isObject(one) ? oneTeacher(one, nets) : oneOf(nets)));
  return { type: 'array', items, minItems: items.length, additionalItems: false };
}

/** The form of a teacher is told by the one key that all its kind have. */
function oneTeacher(teacher: Record<string, unknown>, nets: readonly string[]): Schema {
  const perChannel = (range: Schema): Schema => ({
    type: 'array',
    items: number(range),
    minItems: 3,
    maxItems: 3,
    description: 'an array of 3 numbers',
  });
  const normalize = object({ mean: perChannel({}), std: perChannel(positive) }, ['mean', 'std']);
  const path = { type: 'string' };
  const forms: Record<string, Schema> = {
    model: {
      model: oneOf(nets),
      checkpoint: path,
      normalize,
      num_channels: integer(1, 32),
      hidden_sizes: hiddenSizes(),
      dropout_rate: number(belowOne),
    },
    onnx: {
      onnx: path,
      layout: oneOf(['NCHW', 'NHWC'], 'NCHW'),
      size: integer(1),
      normalize,
      output: oneOf(['logits', 'probabilities'], 'logits'),
    },
    logits: { logits: path },
  };
  const keys = Object.keys(forms);
  const [key, ...others] = keys.filter((name) => Object.hasOwn(teacher, name));
  if (key !== undefined && others.length === 0) return object(forms[key]!, [key]);
  return { not: {}, description: `an object with one of the keys ${keys.map(show).join(', ')}` };
}

function scheduleSchema(schedule: unknown): Schema {
  const type = oneOf(['step', 'constant']);
  if (!isObject(schedule) || schedule.type !== 'step') return object({ type }, ['type']);
  return object({ type, step_size: integer(1), gamma: number(partOrAll) }, ['type', 'step_size', 'gamma']);
}

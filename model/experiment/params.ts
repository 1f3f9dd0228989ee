/** params.json: the settings of one experiment, what each accepts and what it is where the file leaves it out. */
import { existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DURATION } from '../../utils/duration';
import { DEVICES, PRECISIONS, type Device, type Precision } from '../../utils/devices';
import { UserError } from '../../utils/errors';
import { isThere, readJson } from '../../utils/files';
import { isObject, show } from '../../utils/json';
import { mistakes, type Schema } from '../../utils/schema';

/** The learning rate by epochs. */
export type Schedule =
  | { type: 'constant' }
  | { type: 'step'; step_size: number; gamma: number }
  | { type: 'multistep'; milestones: number[]; gamma: number }
  | { type: 'cosine'; warmup_epochs: number; min_learning_rate: number }
  | {
      type: 'plateau';
      metric: 'loss' | 'accuracy';
      factor: number;
      patience: number;
      threshold: number;
      min_learning_rate: number;
    };

/** How images of many sizes are brought to one, checked and kept. */
export interface ImageSetParams {
  /** Their shorter side before they are cropped; 8/7 of `size` where absent. */
  resize?: number;
  /** What becomes of the color profile in an image; "ignore" where absent, as torchvision does. */
  icc?: 'ignore' | 'convert';
  /** Part of a set without images to test on that is held out for it, drawn by `seed`. */
  test: number;
  seed: number;
  on_bad_image: 'refuse' | 'skip';
  /** Directory of decoded images, and the most of them that are kept there. */
  cache: string;
  cache_gigabytes: number;
}

/** Folders of images. */
export interface FolderParams extends ImageSetParams {
  name: 'folder';
  dir: string;
  /** Side of the images in pixels, as the network sees them. */
  size: number;
  /** Lists of the classes of images that lie in no folder of a class; of one, also which columns are what. */
  labels?: string | string[] | { file: string; image?: string; label?: string; split?: string };
}

/** Encoded images inside larger files. */
export interface PackedParams extends ImageSetParams {
  dir: string;
  /** Side of the images in pixels; where absent all have one size, and are kept in memory. */
  size?: number;
}

/** Parquet files. */
export interface ParquetParams extends PackedParams {
  name: 'parquet';
  /** The columns of images and labels; the usual ones where absent. */
  image?: string;
  label?: string;
}

/** Shards of WebDataset. */
export interface WebDatasetParams extends PackedParams {
  name: 'webdataset';
  /** A list of the names of classes; that beside the shards where absent. */
  classes?: string;
}

/** Arrays of images and labels in a file of NumPy. */
export interface NpzParams {
  name: 'npz';
  file: string;
  /** The names of images and labels by part; the usual ones where absent. */
  arrays?: { train: string[]; val?: string[]; test?: string[] };
  /** Part of a set without images to test on that is held out for it, drawn by `seed`. */
  test: number;
  seed: number;
}

/** The images: a set that is read from files, or a generated one of a given size. */
export type DatasetParams =
  | { name: 'cifar10' }
  | { name: 'mnist' | 'fashion_mnist' | 'kmnist' | 'qmnist'; pad: number }
  | { name: 'emnist'; pad: number; split: 'balanced' | 'byclass' | 'bymerge' | 'letters' | 'digits' | 'mnist' }
  | { name: 'cifar100'; labels: 'fine' | 'coarse' }
  | { name: 'cifar10.1'; test_dir: string; version?: 'v4' | 'v6' }
  | { name: 'stl10'; train: 'labeled' | 'unlabeled' }
  | { name: 'svhn'; train: 'train' | 'train+extra' }
  | { name: 'shapes'; train: number; test: number; seed: number }
  | NpzParams
  | ParquetParams
  | WebDatasetParams
  | FolderParams;

/** Statistics of the pixels, in [0, 1], that a network was trained with, a value per channel. */
export type NormalizeParams = { mean: number[]; std: number[] };

/** Which weights of a file are meant, and what they are called. */
interface WeightsParams {
  /** Path of the state dict in the file, or what its names begin with; the usual places where absent. */
  key?: string;
  /** Parts of names in the file, and what the network calls them. */
  rename?: Record<string, string>;
  /** Globs of the network's parameters that are not taken from the file: they begin at random. */
  skip?: string[];
}

/** A net with a checkpoint. */
export interface CheckpointTeacherParams extends WeightsParams {
  model: string;
  /** Path of its weights; the best ones of experiments/base_<model> where absent. */
  checkpoint?: string;
  /** Side of its images in pixels; that of the student's where absent. */
  size?: number;
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
  /** The order of its input's axes; those of an image that are one axis in brackets. */
  layout: 'NCHW' | 'NHWC' | 'NHW' | 'N(CHW)' | 'N(HWC)';
  /** The order of its channels where it is not that of the images. */
  channels?: 'RGB' | 'BGR' | 'gray';
  /** Side of its images in pixels; where absent the size that the model fixes, or else that of the data set. */
  size?: number;
  /** What white is before it is normalized; 1 where absent, and 255 for a model of bytes. */
  range?: 1 | 255;
  /** The student's where absent. */
  normalize?: NormalizeParams;
  output: 'logits' | 'probabilities';
  /** Which of its outputs; the only one that fits where absent. */
  output_name?: string;
  /** The column of each class of the data set, or a file with the names of all columns. */
  classes?: number[] | string;
}

/** Logits that were computed before. */
export interface CachedTeacherParams {
  /** Path of a .npy file with a row for each training image. */
  logits: string;
}

export type TeacherParams = CheckpointTeacherParams | OnnxTeacherParams | CachedTeacherParams;

/** When a run ends before `num_epochs`: after so many epochs in a row without a validation accuracy better by so much. */
export interface EarlyStopping {
  patience: number;
  min_delta: number;
}

/** What is done where a loss, a gradient or a new weight is NaN or infinite. */
export type OnNan = 'stop' | 'skip' | 'restore';

/** "yes": crop and flip; or augmentations in their order, each by its name and its own options. */
export type AugmentationParams = 'yes' | 'no' | ({ readonly name: string } & Readonly<Record<string, unknown>>)[];

/** A method by its name, and its own options. */
type MethodParams = { readonly name: string } & Readonly<Record<string, unknown>>;

/** Every key of params.json, filled. */
export interface Params {
  /** `<net>` or `<net>_distill`. */
  model_version: string;
  /** What is minimized: the sum of the losses of these. */
  method: MethodParams[];
  /** Where the student's weights come from, a file or the directory of a run, but for those that `skip` matches; random ones where absent. */
  init?: { checkpoint: string } & WeightsParams;
  /** Globs of the student's parameters that are not trained, and how BatchNorms among them normalize; "eval" where absent. */
  freeze?: string[];
  freeze_batch_norm?: 'eval' | 'train';
  /** Learning rates, before any schedule, of the parameters that a glob matches. */
  learning_rates?: Record<string, number>;
  dataset: DatasetParams;
  /** Of the pixels as the student sees them; what is usual for the data set where absent. */
  normalize?: NormalizeParams;
  data_dir: string;
  /** Part of the training set that is used, in (0, 1]. */
  subset_percent: number;
  augmentation: AugmentationParams;
  /**
   * Part of the training set that is held out to choose the best epoch on, in (0, 1); or the validation images that come
   * with the data set; or the test set itself.
   */
  validation: number | 'val' | 'test';
  /** One teacher, or several whose logits are averaged. */
  teacher: 'none' | TeacherParams | TeacherParams[];
  /** Augmentations of each image: epoch e shows it as epoch ((e − 1) mod views) + 1 did; new ones in each epoch where absent. */
  teacher_views?: number;
  /** The most that kept outputs of the teacher may take on the disk: 10 where absent, 0 keeps none. */
  teacher_cache_gigabytes?: number;
  /** Weight of the soft term; the hard term has 1 − alpha. */
  alpha: number;
  temperature: number;
  kl_reduction: 'batchmean' | 'mean';
  /** Of the cross-entropy: a number for each class, or what makes all classes count the same. */
  class_weights?: 'balanced' | number[];
  label_smoothing?: number;
  /** Share of the training labels that are replaced by wrong ones. */
  label_noise?: number;
  /** "balanced": classes are equally frequent in an epoch. */
  sampling?: 'shuffled' | 'balanced';
  learning_rate: number;
  /** Micro-batches of an optimizer step; 1 where absent. */
  accumulate?: number;
  /** The most that the length of the gradient may be. */
  clip_norm?: number;
  /** Decay of a moving average of the weights, which is then what is evaluated and kept. */
  ema?: number;
  early_stopping?: EarlyStopping;
  /** "stop" where absent. */
  on_nan?: OnNan;
  batch_size: number;
  num_epochs: number;
  dropout_rate: number;
  num_channels: number;
  /** Units of each hidden layer of a perceptron. */
  hidden_sizes: number[];
  save_summary_steps: number;
  /** The longest that training goes on without a checkpoint. */
  checkpoint_every: string;
  num_workers: number;
  optimizer: string;
  momentum: number;
  nesterov: boolean;
  weight_decay: number;
  schedule: Schedule;
  seed: number;
  /** Threads of a training step; 0: one per core. */
  threads: number;
  /** What steps, teacher and evaluation run on; the best there is where absent. */
  device?: Device;
  /** Of products in training steps; float32 where absent. */
  precision?: Precision;
}

/** What a net is trained with where params.json does not say. */
export type NetDefaults = Pick<Params, 'optimizer' | 'weight_decay' | 'schedule'>;

/** What a method is to params.json: a schema for each of its options, and whether it needs a teacher. */
interface MethodEntry {
  readonly options: Readonly<Record<string, Schema>>;
  readonly needsTeacher: boolean;
  /** Does it look at the images through further augmentations? */
  readonly needsViews?: boolean;
}

/** What an augmentation is to params.json; with `mix` it mixes images and their labels. */
interface AugmentationEntry {
  readonly options: Readonly<Record<string, Schema>>;
  readonly mix?: unknown;
}

/** The names that params.json may use. */
export interface Catalogue {
  nets: Record<string, NetDefaults>;
  methods: Readonly<Record<string, MethodEntry>>;
  augmentations: Readonly<Record<string, AugmentationEntry>>;
  optimizers: readonly string[];
  datasets: readonly string[];
  /** Searches that other tools call methods, and the directory of each. */
  searches?: Readonly<Record<string, string>>;
}

/** The content of an experiment's params.json, unchecked. Throws a UserError where it is missing or no JSON object. */
export function readGivenParams(path: string): Record<string, unknown> {
  const directory = dirname(path);
  if (!existsSync(directory)) throw new UserError(`${directory}: no such directory`);
  if (!statSync(directory).isDirectory()) throw new UserError(`${directory}: not a directory`);
  if (!isThere(path)) {
    const example = '{"model_version": "cnn", "learning_rate": 0.001, "num_epochs": 30}';
    throw new UserError(`${path}: no such file; write one, for example ${example}`);
  }
  const content = readJson(path);
  if (!isObject(content)) throw new UserError(`${path}: ${mistakes({ type: 'object' }, content).join()}`);
  return content;
}

/** Checks the content of a params.json, which stays as it is; `source` names it in the lines of the UserError. */
export function parseParams(content: unknown, source: string, catalogue: Catalogue): Params {
  const fail = (lines: string[]) => new UserError(lines.map((line) => `${source}: ${line}`).join('\n'));
  if (!isObject(content)) throw fail(mistakes({ type: 'object' }, content));
  const file = { ...content, ...expanded(content, catalogue) };
  for (const [name, directory] of Object.entries(catalogue.searches ?? {})) {
    if (!listOf(file.method).some((method) => method === name || (isObject(method) && method.name === name))) continue;
    const advice = `copy ${directory} and give the copy to search_hyperparams.ts as --parent_dir`;
    throw fail([`"method" ${show(name)} is a search over many runs and no method of one: ${advice}`]);
  }
  const lines = mistakes(schemaFor(file, catalogue), file);
  const { teacher, augmentation } = file as Record<string, unknown>;
  const names = listOf(file.method).flatMap((method) => (isObject(method) ? [method.name] : []));
  const known = names.filter((name) => typeof name === 'string' && Object.hasOwn(catalogue.methods, name)) as string[];
  const taught = known.find((name) => catalogue.methods[name]!.needsTeacher);
  const isTaught = taught !== undefined;
  if (teacher === 'none' && isTaught) {
    lines.push(`"teacher" must name a net where "method" is ${show(taught)}, got "none"`);
  }
  const twice = known.find((name, i) => known.indexOf(name) < i);
  if (twice !== undefined) lines.push(`"method" must name each method once, got ${show(twice)} twice`);
  const teachers = listOf(teacher).filter(isObject);
  if (isTaught && augmentation !== 'no' && teachers.some((one) => 'logits' in one)) {
    const reason = 'cached logits, which do not follow a crop or a flip';
    lines.push(`"augmentation" must be "no" where "teacher" has ${reason}, got ${show(augmentation)}`);
  }
  lines.push(...augmentationMistakes(augmentation, catalogue));
  if ('precision' in file && file.precision === 'float16' && Number(file.accumulate ?? 1) > 1) {
    lines.push(`"accumulate" must be 1 where "precision" is "float16", got ${show(file.accumulate)}`);
  }
  if ('freeze_batch_norm' in file && !('freeze' in file)) {
    lines.push('"freeze_batch_norm" says how frozen layers normalize: "freeze" is missing');
  }
  const unlabeled = isObject(file.dataset) && file.dataset.train === 'unlabeled';
  if (unlabeled && known.some((name) => name !== 'unlabeled')) {
    const labeled = known.find((name) => name !== 'unlabeled');
    lines.push(`"method" must be "unlabeled" where "dataset.train" is, got ${show(labeled)}`);
  }
  if (unlabeled && typeof file.validation !== 'string') {
    lines.push('"validation" must be "val" or "test" where "dataset.train" is "unlabeled"');
  }
  const viewing = known.find((name) => catalogue.methods[name]!.needsViews);
  if (viewing !== undefined && mixing(augmentation, catalogue).length > 0) {
    lines.push(
      `"augmentation" must not mix images where "method" is ${show(viewing)}, whose views show one image each`,
    );
  }
  if (viewing !== undefined && teachers.some((one) => 'logits' in one)) {
    lines.push(
      `"teacher" must not have cached logits where "method" is ${show(viewing)}, which shows it further views`,
    );
  }
  if (lines.length > 0) throw fail(lines);
  // Dropout does nothing in a net that is only evaluated.
  for (const one of teachers) delete one.dropout_rate;
  return { ...file, method: listOf(file.method) } as unknown as Params;
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [value];
}

/** What is wrong with a list of augmentations as a whole. */
function augmentationMistakes(augmentation: unknown, catalogue: Catalogue): string[] {
  const names = listOf(augmentation).map((one) => (isObject(one) ? one.name : one));
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined) return [`"augmentation" must name each augmentation once, got ${show(twice)} twice`];
  const mixed = mixing(augmentation, catalogue);
  if (mixed.length < 2) return [];
  return [`"augmentation" must mix images by one augmentation, got ${mixed.map(show).join(' and ')}`];
}

/** Names of the augmentations that mix images. */
function mixing(augmentation: unknown, { augmentations }: Catalogue): string[] {
  const names = listOf(augmentation).flatMap((one) =>
    isObject(one) && typeof one.name === 'string' ? [one.name] : [],
  );
  return names.filter((name) => Object.hasOwn(augmentations, name) && augmentations[name]!.mix !== undefined);
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

/** The long form of what is given by its name, and the method where none is given. */
function expanded(file: Record<string, unknown>, catalogue: Catalogue): Record<string, unknown> {
  const { nets, datasets, methods, augmentations } = catalogue;
  const { dataset, teacher, augmentation, method = isDistilled(file) ? 'kd' : 'nokd' } = file;
  const long: Record<string, unknown> = {};
  const longForm = (key: string, names: object) => (value: unknown) => {
    if (isObject(value)) return { ...value };
    return typeof value === 'string' && Object.hasOwn(names, value) ? { [key]: value } : value;
  };
  const each = (value: unknown, lengthen: (one: unknown) => unknown) =>
    Array.isArray(value) ? value.map(lengthen) : lengthen(value);
  if (isObject(dataset)) long.dataset = { ...dataset };
  else if (typeof dataset === 'string' && datasets.includes(dataset)) long.dataset = { name: dataset };
  if (teacher !== undefined) long.teacher = each(teacher, longForm('model', nets));
  if (Array.isArray(augmentation)) long.augmentation = augmentation.map(longForm('name', augmentations));
  long.method = each(method, longForm('name', methods));
  return long;
}

function isDistilled({ model_version: version }: Record<string, unknown>): boolean {
  return typeof version === 'string' && version.includes('distill');
}

/** A schema with what its key means, for docs/params.md; it is no part of messages, as `description` is. */
const titled = (title: string, schema: Schema): Schema => ({ ...schema, title });
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
const integers = (fallback?: number[]): Schema => ({
  type: 'array',
  items: { type: 'integer', minimum: 1, description: 'an integer from 1' },
  minItems: 1,
  description: 'an array of integers from 1',
  default: fallback,
});

/** Channels or units of a layer; the weights of two that follow each other then take up to 16 GB. */
const MAX_WIDTH = 2 ** 16;
const widthOf = (fallback: number): Schema => ({ ...integer(1, fallback), maximum: MAX_WIDTH });
const widths = (fallback?: number[]): Schema => ({
  ...integers(fallback),
  items: { type: 'integer', minimum: 1, maximum: MAX_WIDTH, description: `an integer from 1 to ${MAX_WIDTH}` },
  maxItems: 100,
  description: `an array of up to 100 integers from 1 to ${MAX_WIDTH}`,
});

/** Globs of one key: each is tried on every parameter. */
const MAX_GLOBS = 200;
const MAX_SEED = 2 ** 32 - 1;
/** Threads, and batches that are made ready: more than any machine has use for. */
const MANY = 1024;

const globs: Schema = {
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
};

/** Which weights of a file are meant, for `init` and `teacher`. */
const weightsSchema = {
  skip: titled('Globs of parameters that are not taken from the file and start at random.', globs),
  key: {
    title: 'Where the state dict is in the file, or what the names of its tensors begin with.',
    type: 'string',
    minLength: 1,
    maxLength: 200,
    description: 'a key such as "model_ema", of 1 to 200 characters',
  },
  rename: {
    title: 'Parts of names in the file, and what the network calls them.',
    type: 'object',
    propertyNames: { minLength: 1, maxLength: 200, description: 'parts of names, of 1 to 200 characters' },
    additionalProperties: { type: 'string', maxLength: 200 },
    minProperties: 1,
    maxProperties: MAX_GLOBS,
    description: `an object such as {"shortcut": "downsample"}, of 1 to ${MAX_GLOBS} parts of names`,
  },
};

const perChannel = (range: Schema): Schema => ({
  type: 'array',
  items: number(range),
  minItems: 1,
  maxItems: 3,
  description: 'an array of 1 or 3 numbers, one for each channel of the images',
});
const normalizeSchema = object(
  {
    mean: titled('Mean of each channel.', perChannel({})),
    std: titled('Standard deviation of each channel.', perChannel(positive)),
  },
  ['mean', 'std'],
);

/**
 * The schema for one file. Where a key has several forms, the form that the file uses is picked here, so that a
 * message is about that form and defaults can be filled inside it. tools/params_doc.ts makes docs/params.md of it.
 */
export function schemaFor(file: Record<string, unknown>, catalogue: Catalogue): Schema {
  const { nets, methods, augmentations, optimizers, datasets } = catalogue;
  const names = Object.keys(nets);
  const version = typeof file.model_version === 'string' ? file.model_version : '';
  const net = netOf({ model_version: version });
  const defaults = Object.hasOwn(nets, net) ? nets[net] : undefined;
  const properties = {
    model_version: titled(
      'The student: a network, or `<network>_distill` to distill it.',
      oneOf(names.flatMap((name) => [name, `${name}_distill`])),
    ),
    method: titled(
      'What is minimized: a method by its name or as an object with its options, or a list of methods, whose losses are added. The default is `"kd"` for `<network>_distill` and `"nokd"` (cross-entropy alone) otherwise.',
      namedSchema(file.method, methods, 'a method or a list of some, each named once'),
    ),
    init: titled(
      'Where the weights of the student start from; random weights by default.',
      object(
        {
          checkpoint: titled('A file of weights, or the directory of a run, whose best weights are used.', {
            type: 'string',
          }),
          ...weightsSchema,
        },
        ['checkpoint'],
      ),
    ),
    freeze: titled('Globs of the parameters of the student that are not trained.', globs),
    freeze_batch_norm: titled(
      'How a frozen BatchNorm normalizes: `"eval"` (the default) by its running statistics, which stay as they are; `"train"` by the batch, which updates them.',
      oneOf(['eval', 'train']),
    ),
    learning_rates: titled(
      'Learning rates of single parameters by globs, such as `{ "fc*": 0.01 }`; the first glob that matches counts, and a schedule scales all rates alike.',
      {
        type: 'object',
        propertyNames: { minLength: 1, maxLength: 200, description: 'globs of 1 to 200 characters' },
        additionalProperties: number(positive),
        minProperties: 1,
        maxProperties: MAX_GLOBS,
        description: `an object of 1 to ${MAX_GLOBS} globs with a learning rate for each`,
      },
    ),
    class_weights: titled(
      'Weights of the classes in the cross-entropy with the labels, as in PyTorch; `"balanced"` is n / (C · n_c). Validation and test losses are not weighted.',
      Array.isArray(file.class_weights)
        ? { type: 'array', items: number(positive), minItems: 1 }
        : { ...oneOf(['balanced']), description: '"balanced" or an array with a number above 0 for each class' },
    ),
    label_smoothing: titled(
      'Label smoothing of the cross-entropy with the labels, as in PyTorch; not applied to validation and test losses.',
      number(belowOne),
    ),
    label_noise: titled(
      'Share of the training labels that are replaced by wrong ones, as a function of (seed, example); validation and test labels are untouched.',
      number({ minimum: 0, maximum: 1 }),
    ),
    sampling: titled(
      '`"balanced"` shows each class equally often in an epoch of the same length; an example that comes twice in an epoch looks the same both times. The default is `"shuffled"`.',
      oneOf(['shuffled', 'balanced']),
    ),
    accumulate: titled(
      'Gradient accumulation: how many batches make one optimizer step (1 by default). Equivalent to one large batch, except for what looks at a batch as a whole: BatchNorm, means weighted by `class_weights`, losses between examples. The last step of an epoch takes the batches that are left.',
      integer(1),
    ),
    clip_norm: titled(
      'Maximum norm of the gradient of all parameters together, as in `clip_grad_norm_` of PyTorch.',
      number(positive),
    ),
    ema: titled(
      'Decay d of an exponential moving average of weights and BatchNorm statistics, a ← d · a + (1 − d) · w after each optimizer step. The average is what is validated, kept as best, tested and exported.',
      number({ ...positive, exclusiveMaximum: 1 }),
    ),
    early_stopping: titled(
      'Ends the run after `patience` epochs without a validation accuracy that is better than the best one by more than `min_delta`.',
      object(
        {
          patience: titled('Epochs without improvement before the run ends.', integer(1)),
          min_delta: titled('How much better an accuracy must be to count.', number(fromZero, 0)),
        },
        ['patience'],
      ),
    ),
    on_nan: titled(
      'What happens if a loss, gradient or new weight is NaN or infinite: `"stop"` (the default) ends the run; `"skip"` leaves the step out, at most 9 times in a row; `"restore"` returns to the beginning of the epoch and halves the learning rate, at most 5 times.',
      oneOf(['stop', 'skip', 'restore']),
    ),
    dataset: titled(
      'The data set, by its name or as an object with its options.',
      datasetSchema(file.dataset, datasets),
    ),
    normalize: titled(
      'Mean and standard deviation of each channel, for pixels in [0, 1]; those of the data set by default. They apply to the student in training, evaluation and exports, and to teachers without their own.',
      normalizeSchema,
    ),
    data_dir: titled('Directory of the files of the data set; the default depends on the data set.', {
      type: 'string',
      default: dataDirectory(file.dataset),
    }),
    subset_percent: titled(
      'Share of the training set that is used, as a fraction: 0.1 is a tenth.',
      number(partOrAll, 1),
    ),
    augmentation: titled(
      '`"yes"` is what is usual for the data set: random crop (padding 4) and flip; no flip for MNIST and its relatives; random resized crop and flip for image folders. Or a list of augmentations, by name or with options.',
      Array.isArray(file.augmentation)
        ? namedSchema(file.augmentation, augmentations, '"yes", "no" or a list of augmentations, each named once')
        : oneOf(['yes', 'no'], 'yes'),
    ),
    validation: titled(
      'Share of the training set that is held out to choose the best epoch; or `"val"`, the validation images of the data set; or `"test"`, the test images.',
      {
        ...(typeof file.validation === 'string'
          ? oneOf(['val', 'test'])
          : number({ ...positive, exclusiveMaximum: 1 })),
        description: '"val", "test" or a number between 0 and 1, both excluded',
        default: 0.1,
      },
    ),
    teacher: titled(
      'The teacher, or a list of teachers, whose logits are averaged.',
      teacherSchema(file.teacher, names),
    ),
    teacher_views: titled(
      'Number of fixed augmentations of each image, shown in turn: epoch e shows an image as epoch ((e − 1) mod views) + 1 did. Less variety, but the teacher runs in the first epochs only. By default every epoch has new ones.',
      integer(1),
    ),
    teacher_cache_gigabytes: titled(
      'Maximum size of the cache of teacher outputs (10 by default); 0 turns it off. It changes no result.',
      number(fromZero),
    ),
    alpha: titled(
      'Weight of the soft targets in methods like `kd`; the cross-entropy with the labels has weight 1 − alpha.',
      number({ minimum: 0, maximum: 1 }, 0.9),
    ),
    temperature: titled('Temperature of the softmax of soft targets.', number(positive, 4)),
    kl_reduction: titled(
      '`"batchmean"` averages the KL divergence over examples; `"mean"` divides by the number of classes as well, as `nn.KLDivLoss()` does by default.',
      oneOf(['batchmean', 'mean'], 'batchmean'),
    ),
    learning_rate: titled('Learning rate before the schedule.', number(positive)),
    batch_size: titled(
      'Examples per step; at least 2 for networks that apply BatchNorm to vectors, such as `cnn`.',
      integer(1, 128),
    ),
    num_epochs: titled('Number of epochs. It may be raised when a run resumes.', integer(1)),
    dropout_rate: titled('Dropout rate of `cnn`.', number(belowOne, 0)),
    num_channels: titled('Channels of the first layer of `cnn`.', widthOf(32)),
    hidden_sizes: titled('Units of the hidden layers of `mlp`.', widths([1200, 1200])),
    save_summary_steps: titled('Steps between two points in TensorBoard.', integer(1, 100)),
    checkpoint_every: titled(
      'Maximum time between two checkpoints; `"0s"` saves after each step. There is one after each epoch in any case. It changes no result.',
      {
        type: 'string',
        pattern: DURATION,
        default: '10m',
        description: 'a length of time such as "30s", "10m" or "1h30m"',
      },
    ),
    num_workers: titled(
      'Number of batches that the loader prefetches for image folders; other data sets are in memory. It is not a number of processes.',
      { ...integer(0, 4), maximum: MANY },
    ),
    optimizer: titled(
      'The optimizer; by default that of the recipe of the network, `"adam"` for `cnn` and `"sgd"` for most others.',
      oneOf(optimizers, defaults?.optimizer),
    ),
    momentum: titled('Momentum of `"sgd"`.', number(belowOne, 0.9)),
    nesterov: titled('Nesterov momentum of `"sgd"`.', { type: 'boolean', default: false }),
    weight_decay: titled(
      'Weight decay; by default that of the recipe of the network, 0 for `cnn` and 5e-4 for most others.',
      number(fromZero, defaults?.weight_decay),
    ),
    schedule: titled('Learning rate schedule; by default that of the recipe of the network.', {
      ...scheduleSchema(file.schedule ?? defaults?.schedule, file.learning_rate),
      default: defaults?.schedule,
    }),
    seed: titled('Seed of everything random: initial weights, order, augmentation, held-out images.', {
      ...integer(0, 230),
      maximum: MAX_SEED,
    }),
    threads: titled(
      'Threads of a training step; 0 is one per core. More threads than cores print a warning, more than four per core are refused. Evaluation takes at most one per core.',
      { ...integer(0, 0), maximum: MANY },
    ),
    device: titled('What steps, teacher and evaluation run on; `"auto"` by default.', oneOf(DEVICES)),
    precision: titled(
      'Precision of convolutions and matrix products in training steps; `"float16"` needs a GPU. `"float32"` by default.',
      oneOf(PRECISIONS),
    ),
  };
  return object(properties, ['model_version', 'learning_rate', 'num_epochs']);
}

/** The schema of something with a name and its own options, or of a list of such; `description` says what is accepted. */
function namedSchema(
  named: unknown,
  entries: Readonly<Record<string, Pick<MethodEntry, 'options'>>>,
  description: string,
): Schema {
  const names = Object.keys(entries);
  const one = (value: unknown): Schema => {
    if (!isObject(value)) return oneOf(names);
    const own = typeof value.name === 'string' && Object.hasOwn(entries, value.name) ? entries[value.name] : undefined;
    // Where the name is not known, options cannot be told from mistakes.
    const form = object({ name: oneOf(names), ...own?.options }, ['name']);
    return own ? form : { ...form, additionalProperties: true };
  };
  if (!Array.isArray(named)) return one(named);
  if (named.length === 0 || named.length > names.length) {
    return { type: 'array', minItems: 1, maxItems: names.length, description };
  }
  return { type: 'array', items: named.map(one), minItems: named.length, additionalItems: false };
}

function datasetSchema(dataset: unknown, datasets: readonly string[]): Schema {
  if (dataset !== undefined && !isObject(dataset)) return oneOf(datasets);
  const standard = { name: 'cifar10' };
  const { name, size }: Record<string, unknown> = dataset ?? standard;
  const drawn = { ...titled('Seed of what is drawn or held out.', integer(0, 0)), maximum: MAX_SEED };
  const padding = { ...titled('Black pixels added on each side.', integer(0, 0)), maximum: 64 };
  const shapes = {
    train: titled('Number of training images.', integer(1, 20000)),
    test: titled('Number of test images.', integer(1, 2000)),
    seed: drawn,
  };
  const heldOut = titled(
    'Share of each class that is held out for testing if there are no test images.',
    number({ ...positive, exclusiveMaximum: 1 }, 0.2),
  );
  const imageSet = {
    resize: {
      ...titled(
        'Shorter side to which images are resized before the crop: at least `size`, 8/7 of it by default.',
        integer(Number.isInteger(size) ? Number(size) : 224),
      ),
      maximum: 8192,
    },
    icc: titled(
      'Color profiles: `"ignore"` (the default) as torchvision does, or `"convert"` to sRGB.',
      oneOf(['ignore', 'convert']),
    ),
    test: heldOut,
    seed: drawn,
    on_bad_image: titled(
      '`"skip"` names invalid images in the log and trains without them.',
      oneOf(['refuse', 'skip'], 'refuse'),
    ),
    cache: titled('Directory of decoded images.', { type: 'string', default: 'data/cache' }),
    cache_gigabytes: titled('Maximum size of the cache for this folder and size.', number(fromZero, 20)),
  };
  const dir = titled('Directory of the files.', { type: 'string' });
  const folder = {
    dir,
    size: { ...titled('Side of the images in pixels.', integer(8, 224)), maximum: 4096 },
    labels: titled(
      'Lists of the classes of images that are in no folder of a class.',
      listSchema(isObject(dataset) ? dataset.labels : undefined),
    ),
    ...imageSet,
  };
  const side = titled('Side of the images in pixels; without it, all images must have one size.', integer(8));
  const packed = { dir, size: { ...side, maximum: 4096 }, ...imageSet };
  const forms: Readonly<Record<string, Schema>> = {
    cifar100: { labels: titled('100 classes, or the 20 superclasses.', oneOf(['fine', 'coarse'], 'fine')) },
    'cifar10.1': {
      test_dir: titled('Directory of the test images.', { type: 'string', default: 'data/cifar-10.1' }),
      version: titled('Which test images; `"v6"` by default.', oneOf(['v4', 'v6'])),
    },
    mnist: { pad: padding },
    fashion_mnist: { pad: padding },
    kmnist: { pad: padding },
    qmnist: { pad: padding },
    emnist: {
      pad: padding,
      split: titled(
        'Which of its data sets.',
        oneOf(['balanced', 'byclass', 'bymerge', 'letters', 'digits', 'mnist'], 'balanced'),
      ),
    },
    stl10: {
      train: titled(
        'What to train on; `"unlabeled"` is for the method `unlabeled`.',
        oneOf(['labeled', 'unlabeled'], 'labeled'),
      ),
    },
    svhn: { train: titled('What to train on.', oneOf(['train', 'train+extra'], 'train')) },
    shapes,
    npz: {
      file: titled('The file.', { type: 'string' }),
      arrays: titled('Names of the images and labels of each split; the usual names by default.', arraysSchema),
      test: heldOut,
      seed: drawn,
    },
    webdataset: {
      classes: titled('List of class names; by default the one next to the shards.', { type: 'string' }),
      ...packed,
    },
    parquet: {
      image: titled('Column of the images; found by default.', { type: 'string' }),
      label: titled('Column of the labels; found by default.', { type: 'string' }),
      ...packed,
    },
    folder,
  };
  const isKnown = datasets.some((known) => known === name);
  const form = isKnown ? (forms[String(name)] ?? {}) : shapes;
  const needed = isKnown
    ? ['name', ...({ folder: ['dir'], npz: ['file'], parquet: ['dir'], webdataset: ['dir'] }[String(name)] ?? [])]
    : ['name'];
  return { ...object({ name: oneOf(datasets), ...form }, needed), default: standard };
}

/** The names of images and labels by part. */
const arraysSchema: Schema = (() => {
  const pair: Schema = { type: 'array', items: { type: 'string' }, minItems: 2, maxItems: 2 };
  return object({ train: pair, val: pair, test: pair }, ['train']);
})();

/** A list of classes by its path, several, or one with the names of its columns. */
function listSchema(labels: unknown): Schema {
  const text: Schema = { type: 'string', minLength: 1 };
  if (isObject(labels)) return object({ file: text, image: text, label: text, split: text }, ['file']);
  if (Array.isArray(labels)) return { type: 'array', items: text, minItems: 1, maxItems: 10 };
  return { ...text, description: 'the path of a list, a list of such, or an object with "file"' };
}

/** Where the files of a data set are where params.json does not say. */
function dataDirectory(dataset: unknown): string {
  const directories: Readonly<Record<string, string>> = {
    cifar100: 'data/cifar-100-binary',
    mnist: 'data/mnist',
    fashion_mnist: 'data/fashion-mnist',
    kmnist: 'data/kmnist',
    qmnist: 'data/qmnist',
    emnist: 'data/emnist',
    stl10: 'data/stl10_binary',
    svhn: 'data/svhn',
  };
  const name = isObject(dataset) ? dataset.name : dataset;
  const own = typeof name === 'string' && Object.hasOwn(directories, name) ? directories[name] : undefined;
  return own ?? 'data/cifar-10-batches-bin';
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

const path: Schema = { type: 'string' };
const imageSide: Schema = { ...integer(1), maximum: 8192 };
/** Columns of a teacher's output. */
const MAX_COLUMNS = 2 ** 20;
const onnxForm = ({ classes }: Record<string, unknown>): Readonly<Record<string, Schema>> => ({
  onnx: titled('The file.', path),
  layout: titled('Axes of the input.', oneOf(['NCHW', 'NHWC', 'NHW', 'N(CHW)', 'N(HWC)'], 'NCHW')),
  channels: titled(
    'Channels of the input; by default those of the file, or of the images.',
    oneOf(['RGB', 'BGR', 'gray']),
  ),
  size: titled('Side of its images in pixels; by default that of the model, or of the images.', imageSide),
  range: titled('The value of white before normalization; 1 by default, 255 for a uint8 model.', { enum: [1, 255] }),
  normalize: titled('Mean and standard deviation of its channels; by default those of the student.', normalizeSchema),
  output: titled('What the output is.', oneOf(['logits', 'probabilities'], 'logits')),
  output_name: {
    ...titled('The output; by default the only one that fits.', { type: 'string', minLength: 1 }),
    description: 'the name of an output',
  },
  classes: {
    title: 'The column of the output for each class of the data set.',
    ...(Array.isArray(classes)
      ? {
          type: 'array',
          items: { ...integer(0), maximum: MAX_COLUMNS - 1, description: 'a column, an integer from 0' },
        }
      : path),
    description: 'an array with a column for each class, from 0, or a file with the names of all columns',
  },
});

/** The form of a teacher is told by the one key that all its kind have. */
function oneTeacher(teacher: Record<string, unknown>, nets: readonly string[]): Schema {
  const forms: Record<string, Schema> = {
    model: {
      model: titled('The network.', oneOf(nets)),
      checkpoint: titled('File of its weights; by default the best ones of `experiments/base_<model>`.', path),
      ...weightsSchema,
      size: titled('Side of its images in pixels; by default that of the images.', imageSide),
      normalize: titled(
        'Mean and standard deviation of its channels; by default those of the student.',
        normalizeSchema,
      ),
      num_channels: titled('Channels of the first layer of `cnn`.', widthOf(32)),
      hidden_sizes: titled('Units of the hidden layers of `mlp`; 1200 and 1200 by default.', widths()),
      dropout_rate: titled('Accepted and ignored: a teacher is only evaluated.', number(belowOne)),
    },
    onnx: onnxForm(teacher),
    logits: { logits: titled('A `.npy` file with a row for each training image.', path) },
  };
  const keys = Object.keys(forms);
  const [key, ...others] = keys.filter((name) => Object.hasOwn(teacher, name));
  if (key !== undefined && others.length === 0) return object(forms[key]!, [key]);
  return { not: {}, description: `an object with one of the keys ${keys.map(show).join(', ')}` };
}

/** Checks a teacher that is an ONNX file, as `teacher` in params.json; `source` names it in the lines of the UserError. */
export function parseOnnxTeacher(content: unknown, source: string): OnnxTeacherParams {
  const teacher = isObject(content) ? { ...content } : content;
  const lines = mistakes(object(onnxForm(isObject(teacher) ? teacher : {}), ['onnx']), teacher);
  if (lines.length > 0) throw new UserError(lines.map((line) => `${source}: ${line}`).join('\n'), 2);
  return teacher as OnnxTeacherParams;
}

function scheduleSchema(schedule: unknown, base: unknown): Schema {
  const rate = titled(
    'Learning rate that the schedule does not go below.',
    number({ ...fromZero, ...(Number.isFinite(base) && { maximum: base }) }, 0),
  );
  const gamma = titled('Factor of the learning rate.', number(partOrAll));
  const forms: Record<Schedule['type'], Schema> = {
    step: { step_size: titled('Epochs between two steps.', integer(1)), gamma },
    multistep: { milestones: titled('Epochs after which the rate changes.', integers()), gamma },
    cosine: { warmup_epochs: titled('Epochs in which the rate rises from 0.', integer(0, 0)), min_learning_rate: rate },
    plateau: {
      metric: titled('Validation metric that is watched.', oneOf(['loss', 'accuracy'], 'loss')),
      factor: titled('Factor of the learning rate.', number({ ...positive, exclusiveMaximum: 1 }, 0.1)),
      patience: titled('Epochs without improvement before the rate changes.', integer(0, 10)),
      threshold: titled('Relative improvement that counts.', number(belowOne, 1e-4)),
      min_learning_rate: rate,
    },
    constant: {},
  };
  const kind = isObject(schedule) && Object.keys(forms).find((name) => name === schedule.type);
  const form = kind ? forms[kind as Schedule['type']] : {};
  const isNeeded = (key: string) => (form[key] as Schema).default === undefined;
  return object({ type: oneOf(Object.keys(forms)), ...form }, ['type', ...Object.keys(form).filter(isNeeded)]);
}

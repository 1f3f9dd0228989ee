/**
 * Runs to be interrupted: every method, alone and with another one, with every option that params.json accepts beside it.
 * A method, an optimizer, an augmentation or an option is in it by being listed.
 */
import { join } from 'node:path';
import { optimizers } from '../../engine/optimizers';
import { State } from '../../engine/session';
import { makeShapes } from '../../model/data/sets/shapes';
import { distillers } from '../../model/distillers';
import { allOf } from '../../model/evaluation/evaluator';
import { studentOf } from '../../model/experiment/experiment';
import type { Params } from '../../model/experiment/params';
import { plannedRuns } from '../../model/experiment/stages';
import { trainingConfig } from '../../model/experiment/training_config';
import { evaluationGraph, outputShapes } from '../../model/nets/model';
import type { Teacher } from '../../model/teachers';
import { ensemble } from '../../model/teachers/ensemble';
import { phasesOf, trainingGraph } from '../../model/training/step_graph';
import { UserError } from '../../utils/errors';
import { Random } from '../../utils/random';
import { experiment, writeInitialWeights } from './train';

/** A set of options, of which no two have the same key, beside one method or two. */
export interface Combination {
  readonly title: string;
  readonly methods: readonly string[];
  readonly options: readonly string[];
  readonly params: object;
}

/** Of methods that would be slow with their defaults. */
const small: Readonly<Record<string, object>> = {
  ab: { boundary_epochs: 1 },
  afd: { dim: 4 },
  bann: { generations: 1 },
  crd: { negatives: 8, dim: 4 },
  dcd: { dim: 4 },
  dafl: { noise_dim: 4 },
  dfad: { noise_dim: 4, student_steps: 2 },
  data_free: { noise_dim: 4, generator_steps: 2, student_steps: 2 },
  dataset_distillation: { images: 4, image_steps: 2, student_steps: 2 },
  dml: { peer: 'mlp' },
  fitnet: { stages: 2, hint_epochs: 1 },
  fsp: { init_epochs: 1 },
  ft: { paraphraser_epochs: 1 },
  kd: { errors: 'smooth', noise: { fraction: 0.5 } },
  mlkd: { temperatures: [2, 4] },
  okddip: { peers: 2 },
  one: { branches: 2 },
  semckd: { student_layers: ['stage2'], teacher_layers: ['stage2'] },
  srrl: { variant: 'pooled' },
  zskt: { noise_dim: 4, student_steps: 3 },
  takd: { assistants: ['cnn', 'cnn'] },
};

const troubled = join(__dirname, 'troubled.ts');
/** Numbers that are not finite at these steps, until the learning rate is halved. */
const trouble = (...steps: number[]) => ({ name: troubled, steps, above: 0.01 });

/** What may be beside a method, and a method that makes it matter. */
type Option = { readonly params: object; readonly method?: object };

/** The weights that the options name. */
export function writeWeights(scratch: string): void {
  const widths = { teacher: 2, student: 2, second: 4 };
  for (const [name, width] of Object.entries(widths))
    writeInitialWeights(join(scratch, `${name}.safetensors`), 'cnn', width);
  writeInitialWeights(join(scratch, 'resnet8.safetensors'), 'resnet8', 2);
}

/** Methods that a cnn has no map for, and options that name its layers. */
const needsResnet = ['sdd', 'catkd'];
const ofCnn = ['init', 'learning_rates'];

function resnetIn(scratch: string): object {
  const checkpoint = join(scratch, 'resnet8.safetensors');
  return { model_version: 'resnet8_distill', teacher: { model: 'resnet8', num_channels: 2, checkpoint } };
}

/** Methods that train a distillation token: their network is too slow for the sample, and for being beside others. */
const needsTokens = ['deit'];
const withTokens = { model_version: 'deit_tiny_distill', patch_size: 16 };

function optionsIn(scratch: string): Readonly<Record<string, Option>> {
  const teacher = { model: 'cnn', num_channels: 2, checkpoint: join(scratch, 'teacher.safetensors') };
  const plain: Record<string, object> = {
    accumulate: { accumulate: 2 },
    ema: { ema: 0.5 },
    mixup: { augmentation: [{ name: 'mixup' }] },
    cutmix: { augmentation: ['crop', { name: 'cutmix' }] },
    autoaugment: { augmentation: ['autoaugment', 'cutout'] },
    'no augmentation': { augmentation: 'no' },
    teacher_views: { teacher_views: 2 },
    plateau: { schedule: { type: 'plateau', patience: 0, factor: 0.5, threshold: 0.5 } },
    cosine: { schedule: { type: 'cosine', warmup_epochs: 1 } },
    early_stopping: { early_stopping: { patience: 1, min_delta: 1 } },
    'balanced sampling': { sampling: 'balanced' },
    clip_norm: { clip_norm: 0.5 },
    label_smoothing: { label_smoothing: 0.1 },
    label_noise: { label_noise: 0.2 },
    class_weights: { class_weights: 'balanced' },
    freeze: { freeze: ['conv1', 'bn1'] },
    learning_rates: { learning_rates: { 'fc2*': 0.02 } },
    init: { init: { checkpoint: join(scratch, 'student.safetensors'), skip: ['fc2'] } },
    dropout: { dropout_rate: 0.5 },
    'two teachers': {
      teacher: [teacher, { ...teacher, num_channels: 4, checkpoint: join(scratch, 'second.safetensors') }],
    },
    subset: { subset_percent: 0.7 },
    'test as validation': { validation: 'test' },
    'no workers': { num_workers: 0 },
    'checkpoint at each step': { checkpoint_every: '0s' },
  };
  const momentum = { momentum: 0.8, nesterov: true, weight_decay: 0.01, dot_delta: 0.1 };
  for (const optimizer of Object.keys(optimizers)) plain[optimizer] = { optimizer, ...momentum };
  return {
    ...Object.fromEntries(Object.entries(plain).map(([name, params]) => [name, { params }])),
    'on_nan restore': { params: { on_nan: 'restore' }, method: trouble(2) },
    'on_nan skip': { params: { on_nan: 'skip' }, method: trouble(2, 5) },
  };
}

const shapes = { train: 40, test: 10 };
const images = makeShapes({ ...shapes, seed: 0 });

/** Three steps an epoch, the last of them smaller. */
const tiny = (scratch: string) => ({
  model_version: 'cnn_distill',
  num_channels: 2,
  hidden_sizes: [4],
  teacher: { model: 'cnn', num_channels: 2, checkpoint: join(scratch, 'teacher.safetensors') },
  dataset: { name: 'shapes', ...shapes },
  batch_size: 16,
  learning_rate: 0.01,
  num_epochs: 3,
  threads: 1,
});

const MOST_OPTIONS = 6;

/** All combinations; `scratch` is a directory for files that they need. */
export function combinationsIn(scratch: string): Combination[] {
  return Object.keys(distillers).flatMap((name) => [...combinationsOf(name, scratch)]);
}

/** Names of the options that a method accepts. */
export function acceptedBy(name: string, scratch: string): string[] {
  return Object.keys(optionsIn(scratch)).filter((option) => combined(scratch, [name], [option]));
}

/** Some of them in which every method occurs, most of them with another one. */
export function sampleIn(scratch: string): Combination[] {
  const names = Object.keys(distillers).filter((name) => !needsTokens.includes(name));
  const sample: Combination[] = [];
  const secondOf = (name: string) => [...take(combinationsOf(name, scratch), 2)].at(-1)!;
  for (const name of names) {
    if (!sample.some(({ methods }) => methods.includes(name))) sample.push(secondOf(name));
  }
  return sample;
}

function* take<T>(values: Iterable<T>, count: number): Iterable<T> {
  let taken = 0;
  for (const value of values) {
    yield value;
    if (++taken === count) return;
  }
}

/** Those of a method: each option that it accepts in one of them, every second one with another method. */
function* combinationsOf(name: string, scratch: string): Iterable<Combination> {
  const options = optionsIn(scratch);
  const i = Object.keys(distillers).indexOf(name);
  const shuffled = (values: readonly string[], stream: string) =>
    [...new Random(230, stream).permutation(values.length, i)].map((at) => values[at]!);
  const companions = shuffled(Object.keys(distillers), 'companions').filter((one) => !needsTokens.includes(one));
  let left = shuffled(Object.keys(options), 'options');
  let isAlone = false;
  while (left.length > 0) {
    const [first, ...others] = left as [string, ...string[]];
    const alone = combined(scratch, [name], [first]);
    left = others;
    if (!alone) continue;
    isAlone = !isAlone;
    const other = isAlone ? undefined : companions.find((one) => combined(scratch, [name, one], [first]));
    const methods = other === undefined ? [name] : [name, other];
    const group = [first];
    for (const option of others) {
      const isFree = areDisjoint([...group, option].map((one) => options[one]!));
      if (isFree && group.length < MOST_OPTIONS) group.push(option);
    }
    const accepted = () => group.filter((option) => combined(scratch, methods, [option]));
    const found = combined(scratch, methods, group) ?? combined(scratch, methods, accepted()) ?? alone;
    left = left.filter((option) => !found.options.includes(option));
    if (other !== undefined) companions.splice(companions.indexOf(other), 1);
    yield found;
  }
}

/** Can options stand beside each other? */
function areDisjoint(options: readonly Option[]): boolean {
  const keys = options.flatMap(({ params, method }) => [...Object.keys(params), ...(method ? ['method'] : [])]);
  return new Set(keys).size === keys.length;
}

/** Methods with options, where params.json accepts them. */
function combined(scratch: string, methods: readonly string[], names: readonly string[]): Combination | undefined {
  const options = optionsIn(scratch);
  const isResnet = methods.some((name) => needsResnet.includes(name));
  const isTransformer = methods.some((name) => needsTokens.includes(name));
  if ((isResnet || isTransformer) && names.some((name) => ofCnn.includes(name))) return undefined;
  const found = names.map((name) => options[name]!);
  const own = methods.map((name) => ({ ...small[name], name }));
  const further = found.flatMap(({ method }) => (method ? [method] : []));
  const content = Object.assign(
    tiny(scratch),
    isResnet ? resnetIn(scratch) : {},
    isTransformer ? withTokens : {},
    ...found.map(({ params }) => params),
  ) as object;
  // A method that is alone in any case has no trouble.
  const attempts = further.length > 0 ? [[...own, ...further], own] : [own];
  const params = attempts.map((method) => ({ ...content, method })).find((one) => isAccepted(scratch, one));
  return params && { title: `${methods.join(' + ')}: ${names.join(', ')}`, methods, options: names, params };
}

/** Whether params.json accepts it, and the steps of every stage can be built. */
function isAccepted(scratch: string, params: object): boolean {
  try {
    for (const run of plannedRuns(experiment(join(scratch, 'accepted'), params))) buildSteps(run.params);
    return true;
  } catch (error) {
    if (error instanceof UserError) return false;
    throw error;
  }
}

function buildSteps(params: Params): void {
  const student = studentOf(params, images);
  const { step } = trainingConfig(params, student, images, allOf(images.train), 'params.json');
  const member: Teacher = {
    shapes: outputShapes(student),
    network: { model: student, weights: State.initial(evaluationGraph(student)).arrays() },
    logits: never,
    outputs: never,
    release: never,
  };
  const teacher = Array.isArray(params.teacher) ? ensemble(params.teacher.map(() => member)) : member;
  for (const phase of phasesOf(step.methods)) trainingGraph(student, { ...step, teacher, batchSize: 4 }, phase);
}

function never(): never {
  throw new Error('nothing is trained here');
}

/** The training configuration from params.json: methods, optimizer, labels, images and trained parameters. */
import { optimizers, type Optimizer } from '../../engine/optimizers/index';
import { UserError } from '../../utils/errors';
import { augmentationSteps, mixesLabels } from '../data/augmentation/index';
import type { Dataset, Split } from '../data/dataset';
import { noisyLabels } from '../data/label_noise';
import { balanced } from '../data/sampling';
import { evaluationGraph, parameterNames, type Model } from '../nets/model';
import { classWeights } from '../training/class_weights';
import { parameterRules } from '../training/parameter_groups';
import type { TrainerOptions } from '../training/trainer';
import { methodsOf } from './experiment';
import type { Params } from './params';

export interface TrainingConfig {
  /** The training set with the labels used for training. */
  readonly split: Split;
  /** The examples of an epoch, in any order. */
  readonly examples: (epoch: number) => Uint32Array;
  /** The augmentation of its images. */
  readonly augment: ReturnType<typeof augmentationSteps>;
  /** The configuration of its steps, except teacher and device. */
  readonly step: Omit<TrainerOptions, 'teacher' | 'backend' | 'precision' | 'profile'>;
}

/**
 * The configuration for a student on the examples `indices` of a training set. Throws UserErrors with the prefix
 * `source`.
 */
export function trainingConfig(
  params: Params,
  model: Model,
  dataset: Dataset,
  indices: Uint32Array,
  source: string,
): TrainingConfig {
  const { label_noise: share = 0, class_weights: weights, seed, accumulate = 1 } = params;
  const { classes, train } = dataset;
  const labels = share === 0 ? train.labels : noisyLabels(train.labels, { share, classes: classes.length, seed });
  const augment = augmentationSteps(params.augmentation, dataset.augmentation);
  const isRuled = params.freeze !== undefined || params.learning_rates !== undefined;
  return ofFile(source, () => ({
    split: share === 0 ? train : withLabels(train, labels),
    examples: (epoch) => (params.sampling === 'balanced' ? balanced(indices, labels, { seed, epoch }) : indices),
    augment,
    step: {
      seed,
      methods: methodsOf(params),
      examples: train.size,
      mixes: mixesLabels(augment),
      optimizer: optimizerOf(params),
      alpha: params.alpha,
      temperature: params.temperature,
      klReduction: params.kl_reduction,
      threads: params.threads,
      classWeights: weights && classWeights(weights, indices, labels, classes),
      labelSmoothing: params.label_smoothing,
      rules: isRuled ? parameterRules(params, parameterNames(evaluationGraph(model))) : undefined,
      clipNorm: params.clip_norm,
      averageDecay: params.ema,
      accumulates: accumulate > 1,
      scalesLoss: params.precision === 'float16',
    },
  }));
}

/** The optimizer of a run, with those keys of params.json that are its options. */
export function optimizerOf(params: Params): Optimizer {
  const { optimizer, learning_rate: learningRate, weight_decay: weightDecay } = params;
  const { options, make } = optimizers[optimizer]!;
  const own = Object.keys(options).map((key) => [key, params[key as keyof Params]] as const);
  return make({ ...Object.fromEntries(own), learningRate, weightDecay });
}

/** The result for a file; prefixes UserErrors with its name. */
export function ofFile<T>(source: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw error instanceof UserError ? new UserError(`${source}: ${error.message}`) : error;
  }
}

function withLabels(split: Split, labels: Split['labels']): Split {
  return Object.create(split, { labels: { value: labels, enumerable: true } }) as Split;
}

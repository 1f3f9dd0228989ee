/** The optimizers by their names in params.json, with the defaults of their papers. */
import { belowOne, number, type Options } from '../../utils/schema_forms';
import { adabound } from './adabound';
import { adam } from './adam';
import { adamw } from './adamw';
import { dot, type DotOptions } from './dot';
import { novograd } from './novograd';
import type { Optimizer } from './optimizer';
import { sgd, type SgdOptions } from './sgd';

export { adabound, type AdaBoundOptions } from './adabound';
export { adam, type AdamOptions } from './adam';
export { adamw } from './adamw';
export { AVERAGE_PREFIX, averageWeights } from './average';
export { dot, type DotOptions } from './dot';
export { leaveOutNonFinite, lossScale } from './loss_scale';
export { novograd, type NovoGradOptions } from './novograd';
export { minimize, trainable, type MinimizeOptions } from './minimize';
export { OPTIMIZER_PREFIX, type Optimizer, type Parts } from './optimizer';
export { sgd, type SgdOptions } from './sgd';

/** The settings of params.json that all optimizers share. */
export interface OptimizerSettings {
  /** Before any schedule. */
  readonly learningRate: number;
  /** λ */
  readonly weightDecay: number;
}

/** An optimizer as the index lists it. */
export interface OptimizerEntry<Own extends object = Readonly<Record<string, unknown>>> {
  /** Its further keys of params.json: a JSON schema for each, whose `title` says what it is. */
  readonly options: Options;
  /** Makes the optimizer from the shared settings and its own keys. */
  make(this: void, settings: OptimizerSettings & Own): Optimizer;
}

const momentum = number({ ...belowOne, default: 0.9, title: 'Momentum of `"sgd"` and `"dot"`.' });

const sgdEntry: OptimizerEntry<Pick<SgdOptions, 'momentum' | 'nesterov'>> = {
  options: {
    momentum,
    nesterov: { type: 'boolean', default: false, title: 'Nesterov momentum of `"sgd"`.' },
  },
  make: ({ momentum, nesterov, weightDecay }) => sgd({ momentum, nesterov, weightDecay }),
};

const dotEntry: OptimizerEntry<Pick<DotOptions, 'momentum'> & { readonly dot_delta?: number }> = {
  options: {
    momentum,
    dot_delta: number({
      minimum: 0,
      exclusiveMaximum: 1,
      title:
        'Of `"dot"`, Δ (0.075 by default): the gradient of the cross-entropy with the labels has momentum μ − Δ, that of all other losses μ + Δ.',
    }),
  },
  make: ({ momentum, weightDecay, dot_delta: delta }) =>
    dot({ momentum, weightDecay, ...(delta !== undefined && { delta }) }),
};

/** What makes each optimizer of its settings, by its name. */
export const optimizers: Readonly<Record<string, OptimizerEntry>> = {
  adam: { options: {}, make: ({ weightDecay }) => adam({ weightDecay }) },
  sgd: sgdEntry,
  dot: dotEntry,
  adamw: { options: {}, make: ({ weightDecay }) => adamw({ weightDecay }) },
  novograd: { options: {}, make: ({ weightDecay }) => novograd({ weightDecay }) },
  adabound: {
    options: {},
    make: ({ learningRate, weightDecay }) => adabound({ baseLearningRate: learningRate, weightDecay }),
  },
  amsbound: {
    options: {},
    make: ({ learningRate, weightDecay }) => adabound({ baseLearningRate: learningRate, weightDecay, amsbound: true }),
  },
};

/** The optimizers by their names in params.json, with the defaults of their papers. */
import { belowOne, number, type Options } from '../../utils/schema_forms';
import { adabound } from './adabound';
import { adam } from './adam';
import { adamw } from './adamw';
import { novograd } from './novograd';
import type { Optimizer } from './optimizer';
import { sgd, type SgdOptions } from './sgd';

export { adabound, type AdaBoundOptions } from './adabound';
export { adam, type AdamOptions } from './adam';
export { adamw } from './adamw';
export { AVERAGE_PREFIX, averageWeights } from './average';
export { leaveOutNonFinite, lossScale } from './loss_scale';
export { novograd, type NovoGradOptions } from './novograd';
export { minimize, trainable, type MinimizeOptions } from './minimize';
export { OPTIMIZER_PREFIX, type Optimizer } from './optimizer';
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

const sgdEntry: OptimizerEntry<Pick<SgdOptions, 'momentum' | 'nesterov'>> = {
  options: {
    momentum: number({ ...belowOne, default: 0.9, title: 'Momentum of `"sgd"`.' }),
    nesterov: { type: 'boolean', default: false, title: 'Nesterov momentum of `"sgd"`.' },
  },
  make: ({ momentum, nesterov, weightDecay }) => sgd({ momentum, nesterov, weightDecay }),
};

/** The optimizers by their names in params.json. */
export const optimizers: Readonly<Record<string, OptimizerEntry>> = {
  adam: { options: {}, make: ({ weightDecay }) => adam({ weightDecay }) },
  sgd: sgdEntry,
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

/** The optimizers by their names in params.json, with the defaults of their papers. */
import { adabound } from './adabound';
import { adam } from './adam';
import { adamw } from './adamw';
import { novograd } from './novograd';
import type { Optimizer } from './optimizer';
import { sgd } from './sgd';

export { adabound, type AdaBoundOptions } from './adabound';
export { adam, type AdamOptions } from './adam';
export { adamw } from './adamw';
export { AVERAGE_PREFIX, averageWeights } from './average';
export { leaveOutNonFinite, lossScale } from './loss_scale';
export { novograd, type NovoGradOptions } from './novograd';
export { minimize, trainable, type MinimizeOptions } from './minimize';
export { OPTIMIZER_PREFIX, type Optimizer } from './optimizer';
export { sgd, type SgdOptions } from './sgd';

/** The settings of params.json that optimizers share; each uses those that it has. */
export interface OptimizerSettings {
  /** Before any schedule. */
  readonly learningRate: number;
  /** μ, used by sgd. */
  readonly momentum: number;
  /** Nesterov momentum, used by sgd. */
  readonly nesterov: boolean;
  /** λ, used by all. */
  readonly weightDecay: number;
}

/** What makes each optimizer of its settings, by its name. */
export const optimizers: Readonly<Record<string, (settings: OptimizerSettings) => Optimizer>> = {
  adam: ({ weightDecay }) => adam({ weightDecay }),
  sgd: ({ momentum, nesterov, weightDecay }) => sgd({ momentum, nesterov, weightDecay }),
  adamw: ({ weightDecay }) => adamw({ weightDecay }),
  novograd: ({ weightDecay }) => novograd({ weightDecay }),
  adabound: ({ learningRate, weightDecay }) => adabound({ baseLearningRate: learningRate, weightDecay }),
  amsbound: ({ learningRate, weightDecay }) =>
    adabound({ baseLearningRate: learningRate, weightDecay, amsbound: true }),
};

/** Distillation-oriented trainer (Zhao, Cui, Song & Liang 2023, ICCV, "DOT: a distillation-oriented trainer"). */
import { UserError } from '../../utils/errors';
import { emitElementwise } from '../ops/elementwise';
import type { Tensor } from '../tensor';
import { decay, moment, type Optimizer } from './optimizer';
import { sgd } from './sgd';

/** Options of `dot`, with the paper's defaults. */
export interface DotOptions {
  readonly momentum?: number;
  readonly weightDecay?: number;
  /** By how much a gradient's momentum is less, and the other's more, than `momentum`. */
  readonly delta?: number;
}

/**
 * SGD with a momentum for each of two gradients, g of what the labels say and h of what the teacher says:
 *   u ← (μ − Δ) u + g + λ p,   v ← (μ + Δ) v + h,   p ← p − lr · (u + v)
 * A parameter that has one of them alone, and all losses without parts, are trained by SGD of momentum μ. Δ is the authors' for
 * CIFAR-100 (megvii-research/mdistiller).
 */
export function dot({ momentum = 0.9, weightDecay = 0, delta = 0.075 }: DotOptions = {}): Optimizer {
  if (momentum + delta >= 1 || momentum < delta) {
    throw new UserError(
      `"dot_delta" must be at most "momentum", ${momentum}, and leave their sum below 1, got ${delta}`,
    );
  }
  const plain = sgd({ momentum, weightDecay });
  return {
    ...plain,
    updateByParts(parameter, { task, distillation }, { learningRate }) {
      if (!task || !distillation)
        return plain.update(parameter, (task ?? distillation)!, { learningRate: learningRate! });
      const u = velocity(parameter, 'momentum_buffer', momentum - delta, decay(parameter, task, weightDecay));
      const v = velocity(parameter, 'momentum_kd_buffer', momentum + delta, distillation);
      const direction = emitElementwise('Add', u, v);
      return emitElementwise('Sub', parameter, emitElementwise('Mul', direction, learningRate!));
    },
  };
}

/** v ← μ v + g, kept as `name`. */
function velocity(parameter: Tensor, name: string, momentum: number, grad: Tensor): Tensor {
  const { graph } = parameter;
  const old = moment(parameter, name);
  const next = emitElementwise('Add', emitElementwise('Mul', old, graph.scalar(momentum)), grad);
  graph.update(old, next);
  return next;
}

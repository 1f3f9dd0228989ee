/** Stochastic gradient descent with momentum (Sutskever et al. 2013), with the formulas of PyTorch's. */
import { emitElementwise } from '../ops/elementwise';
import { decay, moment, type Optimizer } from './optimizer';

/** Options of `sgd`, with PyTorch's defaults. */
export interface SgdOptions {
  /** μ; 0 by default. */
  readonly momentum?: number;
  /** Nesterov momentum; false by default. */
  readonly nesterov?: boolean;
  /** λ, an L2 penalty that is part of the gradient; 0 by default. */
  readonly weightDecay?: number;
}

/** g ← g + λ p,   v ← μ v + g,   d = g + μ v (Nesterov) or v,   p ← p − lr · d */
export function sgd({ momentum = 0, nesterov = false, weightDecay = 0 }: SgdOptions = {}): Optimizer {
  return {
    update(parameter, grad, { learningRate }) {
      const decayed = decay(parameter, grad, weightDecay);
      let direction = decayed;
      if (momentum > 0) {
        const { graph } = parameter;
        const old = moment(parameter, 'momentum_buffer');
        const velocity = emitElementwise('Add', emitElementwise('Mul', old, graph.scalar(momentum)), decayed);
        graph.update(old, velocity);
        direction = nesterov
          ? emitElementwise('Add', decayed, emitElementwise('Mul', velocity, graph.scalar(momentum)))
          : velocity;
      }
      return emitElementwise('Sub', parameter, emitElementwise('Mul', direction, learningRate!));
    },
    scalars: (_, learningRate) => ({ learningRate }),
  };
}

/** Adam (Kingma & Ba 2015), with the formulas of PyTorch's. */
import { emitElementwise } from '../ops/elementwise';
import { decay, movingAverage, type Optimizer } from './optimizer';

/** Options of `adam` and `adamw`, with PyTorch's defaults. */
export interface AdamOptions {
  /** β₁, β₂; 0.9, 0.999 by default. */
  readonly betas?: readonly [number, number];
  /** ε; 1e-8 by default. */
  readonly eps?: number;
  /** λ: of `adam` an L2 penalty that is part of the gradient, 0 by default; of `adamw` decoupled, 0.01 by default. */
  readonly weightDecay?: number;
}

/**
 * Adam with an L2 penalty:
 * g ← g + λ p,   m ← β₁ m + (1 − β₁) g,   v ← β₂ v + (1 − β₂) g²
 * p ← p − lr / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε)
 */
export function adam({ betas = [0.9, 0.999], eps = 1e-8, weightDecay = 0 }: AdamOptions = {}): Optimizer {
  const [beta1, beta2] = betas;
  return {
    update(parameter, grad, { stepSize, correction }) {
      const { graph } = parameter;
      const decayed = decay(parameter, grad, weightDecay);
      const first = movingAverage(parameter, 'exp_avg', beta1, decayed);
      const second = movingAverage(parameter, 'exp_avg_sq', beta2, emitElementwise('Mul', decayed, decayed));
      const root = emitElementwise('Mul', graph.emit('Sqrt', [second], second.shape), correction!);
      return emitElementwise(
        'Sub',
        parameter,
        emitElementwise(
          'Mul',
          emitElementwise('Div', first, emitElementwise('Add', root, graph.scalar(eps))),
          stepSize!,
        ),
      );
    },
    scalars: (step, learningRate) => ({
      stepSize: learningRate / (1 - beta1 ** step),
      correction: 1 / Math.sqrt(1 - beta2 ** step),
    }),
  };
}

/** AdaBound and AMSBound: Adam whose step sizes narrow down to that of SGD (Luo et al. 2019, "Adaptive gradient methods with dynamic bound of learning rate"). */
import { emitElementwise } from '../ops/elementwise';
import { decay, moment, movingAverage, type Optimizer } from './optimizer';

/** Options of `adabound`, with the paper's defaults. */
export interface AdaBoundOptions {
  /** The learning rate lr₀ before any schedule: the bounds follow the schedule in proportion. */
  readonly baseLearningRate: number;
  /** f₀, the rate of SGD that the bounds converge to; 0.1 by default. */
  readonly finalLearningRate?: number;
  /** γ, how fast they converge; 1e-3 by default. */
  readonly gamma?: number;
  /** AMSBound: the second moment never decreases; false by default. */
  readonly amsbound?: boolean;
  /** β₁, β₂; 0.9, 0.999 by default. */
  readonly betas?: readonly [number, number];
  /** ε; 1e-8 by default. */
  readonly eps?: number;
  /** λ, an L2 penalty that is part of the gradient; 0 by default. */
  readonly weightDecay?: number;
}

/**
 * AdaBound, or AMSBound with `amsbound`:
 * g ← g + λ p,   m ← β₁ m + (1 − β₁) g,   v ← β₂ v + (1 − β₂) g²,   AMSBound: v̂ ← max(v̂, v) in place of v
 * η = clip(lr · √(1 − β₂ᵗ) / (1 − β₁ᵗ) / (√v + ε), f · (1 − 1 / (γ t + 1)), f · (1 + 1 / (γ t))),   f = f₀ · lr / lr₀
 * p ← p − η m
 */
export function adabound({
  baseLearningRate,
  finalLearningRate = 0.1,
  gamma = 1e-3,
  amsbound = false,
  betas = [0.9, 0.999],
  eps = 1e-8,
  weightDecay = 0,
}: AdaBoundOptions): Optimizer {
  const [beta1, beta2] = betas;
  return {
    update(parameter, grad, { stepSize, lower, upper }) {
      const { graph } = parameter;
      const decayed = decay(parameter, grad, weightDecay);
      const first = movingAverage(parameter, 'exp_avg', beta1, decayed);
      let second = movingAverage(parameter, 'exp_avg_sq', beta2, emitElementwise('Mul', decayed, decayed));
      if (amsbound) {
        const old = moment(parameter, 'max_exp_avg_sq');
        second = emitElementwise('Max', old, second);
        graph.update(old, second);
      }
      const root = graph.emit('Sqrt', [second], second.shape);
      const rate = emitElementwise('Div', stepSize!, emitElementwise('Add', root, graph.scalar(eps)));
      const bounded = graph.emit('Clip', [rate, lower!, upper!], rate.shape);
      return emitElementwise('Sub', parameter, emitElementwise('Mul', bounded, first));
    },
    scalars(step, learningRate) {
      const final = (finalLearningRate * learningRate) / baseLearningRate;
      return {
        stepSize: (learningRate * Math.sqrt(1 - beta2 ** step)) / (1 - beta1 ** step),
        lower: final * (1 - 1 / (gamma * step + 1)),
        upper: final * (1 + 1 / (gamma * step)),
      };
    },
  };
}

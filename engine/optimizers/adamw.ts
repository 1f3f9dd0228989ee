/** AdamW: Adam with decoupled weight decay (Loshchilov & Hutter 2019), with the formulas of PyTorch's. */
import { emitElementwise } from '../ops/elementwise';
import { adam, type AdamOptions } from './adam';
import type { Optimizer } from './optimizer';

/** p ← (1 − lr · λ) p − Adam's step, whose moments are those of the gradient without the decay. */
export function adamw({ weightDecay = 0.01, ...options }: AdamOptions = {}): Optimizer {
  const plain = adam(options);
  return {
    update(parameter, grad, scalars) {
      const next = plain.update(parameter, grad, scalars);
      return emitElementwise('Sub', next, emitElementwise('Mul', parameter, scalars.decay!));
    },
    scalars: (step, learningRate) => ({ ...plain.scalars(step, learningRate), decay: learningRate * weightDecay }),
  };
}

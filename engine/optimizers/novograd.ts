/** NovoGrad: gradients normalized by layer, with one second moment per tensor (Ginsburg et al. 2019). */
import { emitElementwise } from '../ops/elementwise';
import { sumOfSquares } from '../ops/sums';
import { decay, moment, type Optimizer } from './optimizer';

/** Options of `novograd`, with the paper's defaults. */
export interface NovoGradOptions {
  /** β₁, β₂; 0.95, 0.98 by default. */
  readonly betas?: readonly [number, number];
  /** ε; 1e-8 by default. */
  readonly eps?: number;
  /** λ, added to the normalized gradient; 0 by default. */
  readonly weightDecay?: number;
}

/**
 * v ← β₂ v + (1 − β₂) ‖g‖², at the first step ‖g‖²: one number for each tensor
 * m ← β₁ m + (g / (√v + ε) + λ p),   p ← p − lr · m
 */
export function novograd({ betas = [0.95, 0.98], eps = 1e-8, weightDecay = 0 }: NovoGradOptions = {}): Optimizer {
  const [beta1, beta2] = betas;
  return {
    update(parameter, grad, { learningRate, kept, added }) {
      const { graph } = parameter;
      const norm = sumOfSquares(grad);
      const oldSecond = moment(parameter, 'exp_avg_sq', []);
      const second = emitElementwise(
        'Add',
        emitElementwise('Mul', oldSecond, kept!),
        emitElementwise('Mul', norm, added!),
      );
      graph.update(oldSecond, second);

      const root = emitElementwise('Add', graph.emit('Sqrt', [second], []), graph.scalar(eps));
      const oldFirst = moment(parameter, 'exp_avg');
      const direction = decay(parameter, emitElementwise('Div', grad, root), weightDecay);
      const first = emitElementwise('Add', emitElementwise('Mul', oldFirst, graph.scalar(beta1)), direction);
      graph.update(oldFirst, first);
      return emitElementwise('Sub', parameter, emitElementwise('Mul', first, learningRate!));
    },
    scalars: (step, learningRate) => ({
      learningRate,
      kept: step === 1 ? 0 : beta2,
      added: step === 1 ? 1 : 1 - beta2,
    }),
  };
}

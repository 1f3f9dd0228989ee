/** Optimizers: update rules as nodes of the graph, to the letter of PyTorch's. What varies by step is a fed scalar. */
import { ndarray, sizeOf, type NdArray } from '../utils/ndarray';
import { gradients } from './gradients';
import { raw } from './ops/elementwise';
import type { Tensor } from './tensor';

export interface Optimizer {
  /** Adds the nodes that turn a parameter and its gradient into the parameter's next value. */
  update(parameter: Tensor, grad: Tensor, scalars: Readonly<Record<string, Tensor>>): Tensor;
  /** The fed scalars of step `step`, counted from 1. */
  scalars(step: number, learningRate: number): Record<string, number>;
}

export interface SgdOptions {
  readonly momentum?: number;
  readonly nesterov?: boolean;
  readonly weightDecay?: number;
}

/**
 * Stochastic gradient descent (Sutskever et al. 2013, in PyTorch's form).
 *   g ← g + λ p,   v ← μ v + g,   d = g + μ v (Nesterov) or v,   p ← p − lr · d
 */
export function sgd({ momentum = 0, nesterov = false, weightDecay = 0 }: SgdOptions = {}): Optimizer {
  return {
    update(parameter, grad, { learningRate }) {
      const decayed = decay(parameter, grad, weightDecay);
      let direction = decayed;
      if (momentum > 0) {
        const { graph } = parameter;
        const old = moment(parameter, 'momentum_buffer');
        const velocity = raw('Add', raw('Mul', old, graph.scalar(momentum)), decayed);
        graph.update(old, velocity);
        direction = nesterov ? raw('Add', decayed, raw('Mul', velocity, graph.scalar(momentum))) : velocity;
      }
      return raw('Sub', parameter, raw('Mul', direction, learningRate!));
    },
    scalars: (_, learningRate) => ({ learningRate }),
  };
}

export interface AdamOptions {
  readonly betas?: readonly [number, number];
  readonly eps?: number;
  readonly weightDecay?: number;
}

/**
 * Adam (Kingma & Ba 2015).
 *   g ← g + λ p,   m ← β₁ m + (1 − β₁) g,   v ← β₂ v + (1 − β₂) g²
 *   p ← p − lr / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε)
 */
export function adam({ betas = [0.9, 0.999], eps = 1e-8, weightDecay = 0 }: AdamOptions = {}): Optimizer {
  const [beta1, beta2] = betas;
  return {
    update(parameter, grad, { stepSize, correction }) {
      const { graph } = parameter;
      const decayed = decay(parameter, grad, weightDecay);
      const average = (name: string, beta: number, value: Tensor) => {
        const old = moment(parameter, name);
        const next = raw('Add', raw('Mul', old, graph.scalar(beta)), raw('Mul', value, graph.scalar(1 - beta)));
        graph.update(old, next);
        return next;
      };
      const first = average('exp_avg', beta1, decayed);
      const second = average('exp_avg_sq', beta2, raw('Mul', decayed, decayed));
      const root = raw('Mul', graph.emit('Sqrt', [second], second.shape), correction!);
      return raw('Sub', parameter, raw('Mul', raw('Div', first, raw('Add', root, graph.scalar(eps))), stepSize!));
    },
    scalars: (step, learningRate) => ({
      stepSize: learningRate / (1 - beta1 ** step),
      correction: 1 / Math.sqrt(1 - beta2 ** step),
    }),
  };
}

/** Where the optimizer's own state lives among the states of a graph. */
export const OPTIMIZER_PREFIX = 'optimizer.';

/** Adds gradients and updates for all trainable parameters to the graph of `loss`. */
export function minimize(loss: Tensor, optimizer: Optimizer): void {
  const { graph } = loss;
  const parameters = [...graph.states.values()].filter((state) => state.trainable).map((state) => state.tensor);
  const grads = gradients(loss, parameters);
  const scalars = Object.fromEntries(
    Object.keys(optimizer.scalars(1, 0)).map((name) => [
      name,
      graph.input(`${OPTIMIZER_PREFIX}${name}`, 'float32', []),
    ]),
  );
  parameters.forEach((parameter, i) => {
    graph.update(
      parameter,
      graph.scope(`update/${parameter.name}`, () => optimizer.update(parameter, grads[i]!, scalars)),
    );
  });
}

/** The feeds of an optimizer's scalars at step `step`, counted from 1. */
export function optimizerFeeds(optimizer: Optimizer, step: number, learningRate: number): Record<string, NdArray> {
  const scalars = Object.entries(optimizer.scalars(step, learningRate));
  return Object.fromEntries(
    scalars.map(([name, value]) => [`${OPTIMIZER_PREFIX}${name}`, ndarray('float32', [], Float32Array.of(value))]),
  );
}

function moment(parameter: Tensor, name: string): Tensor {
  const { graph, shape } = parameter;
  const zeros = () => ndarray('float32', shape, new Float32Array(sizeOf(shape)));
  return graph.buffer(`${OPTIMIZER_PREFIX}${name}.${parameter.name}`, 'float32', shape, zeros);
}

function decay(parameter: Tensor, grad: Tensor, weightDecay: number): Tensor {
  const { graph } = parameter;
  return weightDecay === 0 ? grad : raw('Add', grad, raw('Mul', parameter, graph.scalar(weightDecay)));
}

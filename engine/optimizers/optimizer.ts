/** What an optimizer is: an update rule as nodes of the graph. What varies by step is a fed scalar. */
import { ndarray, sizeOf } from '../../formats/ndarray';
import { emitElementwise } from '../ops/elementwise';
import type { Tensor } from '../tensor';

export interface Optimizer {
  /** Adds the nodes that turn a parameter and its gradient into the parameter's next value. */
  update(parameter: Tensor, grad: Tensor, scalars: Readonly<Record<string, Tensor>>): Tensor;
  /** The fed scalars of step `step`, counted from 1. */
  scalars(step: number, learningRate: number): Record<string, number>;
}

/** Where the optimizer's own state lives among the states of a graph. */
export const OPTIMIZER_PREFIX = 'optimizer.';

/** State that an optimizer keeps for a parameter, at first 0; of the parameter's shape unless told otherwise. */
export function moment(parameter: Tensor, name: string, shape = parameter.shape): Tensor {
  const zeros = () => ndarray('float32', shape, new Float32Array(sizeOf(shape)));
  return parameter.graph.buffer(`${OPTIMIZER_PREFIX}${name}.${parameter.name}`, 'float32', shape, zeros);
}

/** m ← β m + (1 − β) x, kept as `name`. */
export function movingAverage(parameter: Tensor, name: string, beta: number, x: Tensor): Tensor {
  const { graph } = parameter;
  const old = moment(parameter, name);
  const next = emitElementwise(
    'Add',
    emitElementwise('Mul', old, graph.scalar(beta)),
    emitElementwise('Mul', x, graph.scalar(1 - beta)),
  );
  graph.update(old, next);
  return next;
}

/** g + λ p */
export function decay(parameter: Tensor, grad: Tensor, weightDecay: number): Tensor {
  const { graph } = parameter;
  return weightDecay === 0
    ? grad
    : emitElementwise('Add', grad, emitElementwise('Mul', parameter, graph.scalar(weightDecay)));
}

/** What an optimizer is: an update rule as nodes of the graph, with host scalars for what varies from step to step. */
import { ndarray, sizeOf } from '../../formats/ndarray';
import { emitElementwise } from '../ops/elementwise';
import type { Tensor } from '../tensor';

/** What belongs to the labels, and to the rest of what is minimized. */
export interface Parts<T> {
  readonly task?: T | undefined;
  readonly distillation?: T | undefined;
}

/** An update rule. Its state, such as moments, lives among the states of the graph. */
export interface Optimizer {
  /** Emits the parameter's next value from its gradient and from `scalars`, by name; both have the parameter's shape. */
  update(parameter: Tensor, grad: Tensor, scalars: Readonly<Record<string, Tensor>>): Tensor;
  /** The same from the gradients of the two parts of a loss, at least one of them, for optimizers that treat them apart. */
  updateByParts?(parameter: Tensor, grads: Parts<Tensor>, scalars: Readonly<Record<string, Tensor>>): Tensor;
  /** The values of the scalars at an optimizer step, counted from 1; `learningRate` is after the schedule. */
  scalars(step: number, learningRate: number): Record<string, number>;
}

/** Prefix of the names of states and host inputs that belong to the optimizer. */
export const OPTIMIZER_PREFIX = 'optimizer.';

/** A float32 buffer `optimizer.<name>.<parameter>`, zeros at first; it has the parameter's shape by default. */
export function moment(parameter: Tensor, name: string, shape = parameter.shape): Tensor {
  const zeros = () => ndarray('float32', shape, new Float32Array(sizeOf(shape)));
  return parameter.graph.buffer(`${OPTIMIZER_PREFIX}${name}.${parameter.name}`, 'float32', shape, zeros);
}

/** m ← β m + (1 − β) x, with m the moment `name` of the parameter; returns its next value. */
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

/** g + λ p: the gradient with an L2 penalty; g itself if λ is 0. */
export function decay(parameter: Tensor, grad: Tensor, weightDecay: number): Tensor {
  const { graph } = parameter;
  return weightDecay === 0
    ? grad
    : emitElementwise('Add', grad, emitElementwise('Mul', parameter, graph.scalar(weightDecay)));
}

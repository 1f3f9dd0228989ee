/** The update of a training step as nodes of its graph: gradients, accumulation, clipping, the optimizer's rule. */
import { gradients } from '../autodiff';
import type { Graph } from '../graph';
import type { StepContext } from '../step_context';
import type { Tensor } from '../tensor';
import { accumulateGradient } from './accumulation';
import { mul } from '../ops';
import { emitElementwise } from '../ops/elementwise';
import { clipGradNorm } from './clipping';
import { OPTIMIZER_PREFIX, type Optimizer } from './optimizer';

/** What is done to gradients and rates before the optimizer's rule. */
export interface MinimizeOptions {
  /** Factor of a parameter's learning rate, by the parameter's name; 1 by default. */
  readonly rate?: (parameter: string) => number;
  /** Maximum global gradient norm; no clipping by default. */
  readonly clipNorm?: number | undefined;
  /** With micro-batches: 'add' sums the gradient for later steps, 'apply' adds its own and updates. By default each step updates. */
  readonly accumulation?: 'add' | 'apply' | undefined;
  /** Scalar that the loss is multiplied by before differentiation and that gradients are divided by: `lossScale`. */
  readonly scale?: Tensor | undefined;
}

/**
 * Adds the gradients of the scalar `loss` and one optimizer step to its graph, for `parameters`: by default all trainable ones.
 * Throws as `gradients` does, if the loss does not depend on one of them.
 */
export function minimize(
  loss: Tensor,
  optimizer: Optimizer,
  parameters = trainable(loss.graph),
  { rate = () => 1, clipNorm, accumulation, scale }: MinimizeOptions = {},
): void {
  const { graph } = loss;
  const updating = <T>(parameter: Tensor, build: () => T) => graph.scope(`update/${parameter.name}`, build);
  let grads = gradients(scale ? mul(loss, scale) : loss, parameters);
  if (scale) grads = grads.map((grad) => emitElementwise('Div', grad, scale));
  if (accumulation) {
    const sums = parameters.map((parameter, i) => updating(parameter, () => accumulateGradient(parameter, grads[i]!)));
    if (accumulation === 'add') {
      for (const { old, next } of sums) graph.update(old, next);
      return;
    }
    grads = sums.map(({ next }) => next);
  }
  if (clipNorm !== undefined) grads = graph.scope('update', () => clipGradNorm(grads, clipNorm));
  parameters.forEach((parameter, i) => {
    const scalars = scalarsOf(graph, optimizer, rate(parameter.name));
    const next = updating(parameter, () => optimizer.update(parameter, grads[i]!, scalars));
    graph.update(parameter, next);
  });
}

/** The optimizer's scalars as host inputs; parameters with the same rate share them. */
function scalarsOf(graph: Graph, optimizer: Optimizer, rate: number): Readonly<Record<string, Tensor>> {
  const names = Object.keys(optimizer.scalars(1, 0));
  const fed = names.map((name) => {
    const rule = ({ step, learningRate, updates = step }: StepContext) =>
      optimizer.scalars(updates, rate * learningRate)[name]!;
    return [name, graph.hostScalar(`${OPTIMIZER_PREFIX}${name}${rate === 1 ? '' : `*${rate}`}`, rule)] as const;
  });
  return Object.fromEntries(fed);
}

/** The trainable states of a graph, in the order of their declaration. */
export function trainable(graph: Graph): Tensor[] {
  return [...graph.states.values()].filter((state) => state.trainable).map((state) => state.tensor);
}

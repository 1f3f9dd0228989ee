/** The update of a step as nodes of its graph: gradients, what is done to them, the optimizer's rule. */
import { gradients } from '../autodiff';
import type { Graph } from '../graph';
import type { StepContext } from '../step_context';
import type { Tensor } from '../tensor';
import { accumulated } from './accumulation';
import { mul } from '../ops';
import { emitElementwise } from '../ops/elementwise';
import { clipped } from './clipping';
import { OPTIMIZER_PREFIX, type Optimizer } from './optimizer';

export interface MinimizeOptions {
  /** Factor of all learning rates of a parameter, by its name; 1 where absent. */
  readonly rate?: (parameter: string) => number;
  /** The most that the length of all gradients together may be. */
  readonly clipNorm?: number | undefined;
  /** The place of the step among micro-batches: 'add' leaves its gradients for the next, 'apply' makes the update. */
  readonly accumulation?: 'add' | 'apply' | undefined;
  /** What the loss is multiplied by before it is derived, and gradients are divided by. */
  readonly scale?: Tensor | undefined;
}

/** Adds gradients and updates for `parameters`, by default all that are trainable, to the graph of `loss`. */
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
    const sums = parameters.map((parameter, i) => updating(parameter, () => accumulated(parameter, grads[i]!)));
    if (accumulation === 'add') {
      for (const { old, next } of sums) graph.update(old, next);
      return;
    }
    grads = sums.map(({ next }) => next);
  }
  if (clipNorm !== undefined) grads = graph.scope('update', () => clipped(grads, clipNorm));
  parameters.forEach((parameter, i) => {
    const scalars = scalarsOf(graph, optimizer, rate(parameter.name));
    const next = updating(parameter, () => optimizer.update(parameter, grads[i]!, scalars));
    graph.update(parameter, next);
  });
}

/** What an optimizer is fed with; parameters of the same rate share it. */
function scalarsOf(graph: Graph, optimizer: Optimizer, rate: number): Readonly<Record<string, Tensor>> {
  const names = Object.keys(optimizer.scalars(1, 0));
  const fed = names.map((name) => {
    const rule = ({ step, learningRate, updates = step }: StepContext) =>
      optimizer.scalars(updates, rate * learningRate)[name]!;
    return [name, graph.hostScalar(`${OPTIMIZER_PREFIX}${name}${rate === 1 ? '' : `*${rate}`}`, rule)] as const;
  });
  return Object.fromEntries(fed);
}

/** The parameters of a graph. */
export function trainable(graph: Graph): Tensor[] {
  return [...graph.states.values()].filter((state) => state.trainable).map((state) => state.tensor);
}

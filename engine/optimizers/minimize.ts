/** The update of a training step as nodes of its graph: gradients, accumulation, clipping, the optimizer's rule. */
import { ancestors, gradients } from '../autodiff';
import type { Graph } from '../graph';
import { mul } from '../ops';
import { emitElementwise } from '../ops/elementwise';
import type { StepContext } from '../step_context';
import type { Tensor } from '../tensor';
import { accumulateGradient } from './accumulation';
import { clipGradNorm } from './clipping';
import { OPTIMIZER_PREFIX, type Optimizer, type Parts } from './optimizer';

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
  /** What the loss is the sum of, for optimizers that tell these gradients apart. */
  readonly parts?: Parts<Tensor> | undefined;
}

/**
 * Adds the gradients of the scalar `loss` and one optimizer step to its graph, for `parameters`: by default all trainable ones.
 * Throws as `gradients` does, if the loss does not depend on one of them.
 */
export function minimize(
  loss: Tensor,
  optimizer: Optimizer,
  parameters = trainable(loss.graph),
  { rate = () => 1, clipNorm, accumulation, scale, parts }: MinimizeOptions = {},
): void {
  const { graph } = loss;
  const updating = <T>(parameter: Tensor, build: () => T) => graph.scope(`update/${parameter.name}`, build);
  const telling = optimizer.updateByParts && parts;
  let grads = telling ? gradientsOfParts(telling, parameters, scale) : gradientsOf(loss, parameters, scale);
  if (accumulation) {
    const sums = grads.map((grad) => ({ grad, ...updating(grad.parameter, () => accumulatedPart(grad)) }));
    if (accumulation === 'add') {
      for (const { old, next } of sums) graph.update(old, next);
      return;
    }
    grads = sums.map(({ grad, next }) => ({ ...grad, value: next }));
  }
  if (clipNorm !== undefined) {
    const cut = graph.scope('update', () =>
      clipGradNorm(
        totals(grads),
        clipNorm,
        grads.map(({ value }) => value),
      ),
    );
    grads = grads.map((grad, i) => ({ ...grad, value: cut[i]! }));
  }
  for (const parameter of parameters) {
    const scalars = scalarsOf(graph, optimizer, rate(parameter.name));
    const own = grads.filter((grad) => grad.parameter === parameter);
    const valueOf = (part: Gradient['part']) => own.find((grad) => grad.part === part)?.value;
    const next = updating(parameter, () =>
      telling
        ? optimizer.updateByParts!(parameter, { task: valueOf('task'), distillation: valueOf('distillation') }, scalars)
        : optimizer.update(parameter, own[0]!.value, scalars),
    );
    graph.update(parameter, next);
  }
}

/** A gradient with respect to a parameter: of the whole loss, or of one of its parts. */
interface Gradient {
  readonly parameter: Tensor;
  readonly part?: keyof Parts<Tensor>;
  readonly value: Tensor;
}

function gradientsOf(loss: Tensor, parameters: readonly Tensor[], scale: Tensor | undefined): Gradient[] {
  const grads = gradients(scale ? mul(loss, scale) : loss, parameters);
  return grads.map((grad, i) => ({
    parameter: parameters[i]!,
    value: scale ? emitElementwise('Div', grad, scale) : grad,
  }));
}

/** Those of each part with respect to the parameters that it depends on. */
function gradientsOfParts(parts: Parts<Tensor>, parameters: readonly Tensor[], scale: Tensor | undefined): Gradient[] {
  return (['task', 'distillation'] as const).flatMap((part) => {
    const loss = parts[part];
    if (!loss) return [];
    const reached = ancestors(loss);
    const own = parameters.filter((parameter) => reached.has(parameter));
    return gradientsOf(loss, own, scale).map((grad) => ({ ...grad, part }));
  });
}

function accumulatedPart({ parameter, part, value }: Gradient): ReturnType<typeof accumulateGradient> {
  return accumulateGradient(parameter, value, part === undefined ? 'accumulated' : `accumulated_${part}`);
}

/** The gradients of the whole loss: the sums of those of its parts. */
function totals(grads: readonly Gradient[]): Tensor[] {
  const sums = new Map<Tensor, Tensor>();
  for (const { parameter, value } of grads) {
    const other = sums.get(parameter);
    sums.set(parameter, other ? emitElementwise('Add', other, value) : value);
  }
  return [...sums.values()];
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

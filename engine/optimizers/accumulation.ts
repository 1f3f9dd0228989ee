/** Gradient accumulation: the gradient of a large batch, summed over micro-batches in a state of the graph. */
import { emitElementwise } from '../ops/elementwise';
import type { Tensor } from '../tensor';
import { moment, OPTIMIZER_PREFIX } from './optimizer';

/**
 * G ← keep · G + share · g, where keep is 0 for the first micro-batch of an optimizer step and 1 for the others, and share is
 * the micro-batch's share of the step's examples. If losses are means over examples, the last G is the gradient on all of
 * them. `old` is the state that holds G, `next` its value after this micro-batch; both have the parameter's shape.
 * The state is called `name`.
 */
export function accumulateGradient(
  parameter: Tensor,
  grad: Tensor,
  name = 'accumulated',
): { readonly old: Tensor; readonly next: Tensor } {
  const { graph } = parameter;
  const keep = graph.hostScalar(`${OPTIMIZER_PREFIX}keep`, ({ micro }) => (micro && !micro.isFirst ? 1 : 0));
  const share = graph.hostScalar(`${OPTIMIZER_PREFIX}share`, ({ micro }) => micro?.share ?? 1);
  const old = moment(parameter, name);
  return { old, next: emitElementwise('Add', emitElementwise('Mul', old, keep), emitElementwise('Mul', grad, share)) };
}
